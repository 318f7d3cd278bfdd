"""A real `mlflow server` with a real registry, out of an environment of its own."""

import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded import ports

_ROOT = Path(__file__).parents[2]
_REQUIREMENTS = _ROOT / "requirements" / "mlflow.txt"
_SEED = Path(__file__).with_name("mlflow_seed.py")
_API = "api/2.0/mlflow"
_START_SECONDS = 120.0
_QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; its artifacts lie in `folder`."""

    url: str
    folder: Path

    def post(self, path: str, body: Mapping[str, object], method: str = "POST") -> None:
        """Change something in the registry, as any client of MLflow would."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/{_API}/{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - our own server
            pass

    def get(self, path: str) -> Mapping[str, Mapping[str, str]]:
        """Return an answer of the registry."""
        with urllib.request.urlopen(f"{self.url}/{_API}/{path}", timeout=60) as answer:  # noqa: S310
            found: Mapping[str, Mapping[str, str]] = json.load(answer)
        return found

    def names(self) -> set[str]:
        """Return the names of the models in the registry."""
        url = f"{self.url}/{_API}/registered-models/search?max_results=1000"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own server
            found: Mapping[str, list[Mapping[str, str]]] = json.load(answer)
        return {model["name"] for model in found["registered_models"]}

    def root(self, name: str, version: int) -> Path:
        """Return where the files of a version lie on the server's disk."""
        query = f"model-versions/get-download-uri?name={name}&version={version}"
        uri = str(self.get(query)["artifact_uri"])
        return self.folder / "mlartifacts" / uri.removeprefix("mlflow-artifacts:/")

    def files(self, name: str, version: int) -> dict[str, bytes]:
        """Return the files of a version, read from the server's disk."""
        root = self.root(name, version)
        found = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def install(folder: Path = _ROOT / "build" / "mlflow-venv") -> Path:
    """Return the Python of the environment, made unless it is there as the requirements are now."""
    python, mark = folder / "bin" / "python", folder / "installed"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test run may be at it
        if mark.exists() and mark.read_text() == _REQUIREMENTS.read_text():
            return python
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run(
            [*pip, "--require-hashes", "--no-deps", "-r", str(_REQUIREMENTS)], check=True
        )
        shutil.copy(_REQUIREMENTS, mark)
    return python


@contextmanager
def serving(python: Path, folder: Path) -> Iterator[Server]:
    """Run a server with its data in `folder`, filled with a registry."""
    port = ports.free(set())
    command = [str(python), "-m", "mlflow", "server", "--workers", "1"]
    environ = {**os.environ, **_QUIET}
    environ["PATH"] = f"{python.parent}{os.pathsep}{environ['PATH']}"
    log = (folder / "mlflow.log").open("ab")
    process = subprocess.Popen(
        [*command, "--host", ports.HOST, "--port", str(port)],
        cwd=folder,
        env=environ,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        server = Server(f"http://{ports.HOST}:{port}", folder)
        _wait(server, process)
        seed = [str(python), str(_SEED), server.url]
        done = subprocess.run(seed, env=environ, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        yield server
    finally:
        _stop(process)
        log.close()


def _wait(server: Server, process: "subprocess.Popen[bytes]") -> None:
    """Return once the registry answers a search."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            server.get("registered-models/search?max_results=1")
            return
        time.sleep(0.1)
    raise RuntimeError(f"No server: {(server.folder / 'mlflow.log').read_text()[-2000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
