"""The peer: `mlflow server`, in an environment of its own."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded import ports

_REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "bench.txt"
_START_SECONDS = 120.0


def install(folder: Path, say: Callable[[str], None]) -> Path:
    """Return the Python of an environment with MLflow in `folder`, made unless it is there."""
    python, mark = folder / "bin" / "python", folder / "installed"
    if mark.exists() and mark.read_text() == _REQUIREMENTS.read_text():
        return python
    say(f"Installing MLflow into {folder} (a few minutes)…")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(_REQUIREMENTS)], check=True)
    shutil.copy(_REQUIREMENTS, mark)
    return python


@dataclass(frozen=True, slots=True)
class Server:
    """A running `mlflow server`."""

    url: str
    pid: int
    start_seconds: float


@contextmanager
def serving(python: Path, folder: Path, store: str = "") -> Iterator[Server]:
    """Run `mlflow server` with its data in `folder`; `store` is its database, default sqlite."""
    folder.mkdir(parents=True, exist_ok=True)
    port = ports.free(set())
    command = [str(python), "-m", "mlflow", "server", "--host", ports.HOST, "--port", str(port)]
    if store:
        command += ["--backend-store-uri", store]
    environ = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    environ["PATH"] = f"{python.parent}{os.pathsep}{environ['PATH']}"
    url, begun = f"http://{ports.HOST}:{port}", time.monotonic()
    with (folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait(url, process)
            yield Server(url, process.pid, time.monotonic() - begun)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return once the registry answers a search."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            search = f"{url}/api/2.0/mlflow/registered-models/search?max_results=1"
            with urllib.request.urlopen(search, timeout=2) as answer:  # noqa: S310 - our own server
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("mlflow server did not start; see mlflow.log.")
