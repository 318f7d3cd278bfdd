"""The peer: `mlflow server`, in an environment of its own."""

import asyncio
import http.client
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded import binaries, ports, postgres

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
            _wait(url, process, folder / "mlflow.log")
            yield Server(url, process.pid, time.monotonic() - begun)
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
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
    raise RuntimeError(f"mlflow server did not start: {log.read_text()[-2000:]}")


def make_database(database: postgres.Database) -> str:
    """Make an empty database for MLflow; return its address."""
    command = [
        str(binaries.postgres() / "psql"),
        database.admin_url,
        "-c",
        "CREATE DATABASE mlflow",
    ]
    subprocess.run(command, check=True, capture_output=True)
    server = database.admin_url.rpartition("/")[0].removeprefix("postgresql:")
    return f"postgresql+psycopg2:{server}/mlflow"


class Registry:
    """The model registry of a running server, over its REST API and lasting connections."""

    def __init__(self, url: str, names: Sequence[str], callers: int) -> None:
        self._names = names
        self._turn = itertools.cycle(names)
        self._free: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(callers)
        for _ in range(callers):
            self._free.put(http.client.HTTPConnection(url.removeprefix("http://")))

    def fill(self) -> None:
        """Make each model, with a version and an alias."""
        for name in self._names:
            self._post("registered-models/create", {"name": name})
            self._post("model-versions/create", _version(name))
            alias = {"name": name, "alias": "champion", "version": "1"}
            self._post("registered-models/alias", alias)

    async def resolve(self) -> None:
        """Get the version of the next model's alias."""
        query = urllib.parse.urlencode({"name": next(self._turn), "alias": "champion"})
        await self._in_thread("GET", f"registered-models/alias?{query}", "")

    async def register(self) -> None:
        """Register a version of the next model."""
        body = json.dumps(_version(next(self._turn)))
        await self._in_thread("POST", "model-versions/create", body)

    async def register_on_one(self) -> None:
        """Register a version of the first model."""
        body = json.dumps(_version(self._names[0]))
        await self._in_thread("POST", "model-versions/create", body)

    async def _in_thread(self, method: str, path: str, body: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._call, method, path, body)

    def _post(self, path: str, body: Mapping[str, str]) -> None:
        self._call("POST", path, json.dumps(body))

    def _call(self, method: str, path: str, body: str) -> None:
        connection = self._free.get()
        try:
            try:
                status, text = exchange(connection, method, path, body)
            except (http.client.HTTPException, ConnectionError):  # closed by the server meanwhile
                connection.close()
                status, text = exchange(connection, method, path, body)
        finally:
            self._free.put(connection)
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"MLflow answered {status}: {text[:300]!r}.")


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: str
) -> tuple[int, bytes]:
    """Return the status and the body of one call of the REST API."""
    headers = {"Content-Type": "application/json"}
    connection.request(method, f"/api/2.0/mlflow/{path}", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _version(name: str) -> dict[str, str]:
    return {"name": name, "source": f"s3://models/{name}", "description": "Trained again."}
