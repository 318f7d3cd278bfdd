"""What a user asks of a stack: bring it up, take it down, say how it is."""

import asyncio
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded import (
    credentials,
    data_folder,
    files,
    health,
    ports,
    processes,
    record,
    services,
)
from assay_serve.embedded.data_folder import DataFolder
from assay_serve.embedded.failures import Failed, Refused

_STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Line:
    """How one process fares."""

    name: str
    pid: int
    port: int
    state: str
    restarts: int
    uptime_seconds: float


def up(folder: DataFolder, tell: Callable[[str, str], None]) -> dict[str, str]:
    """Bring the stack up, telling the name and address of what works; return the endpoints."""
    data_folder.prepare(folder)
    with _lock(folder.run / "up.lock", wait=True):
        if is_running(folder):
            return _found_up(folder)
        ready, told = os.pipe()
        supervisor = _start_supervisor(folder, told)
        try:
            with os.fdopen(ready) as lines:
                _follow(lines, folder, tell)
        except KeyboardInterrupt:
            supervisor.terminate()
            supervisor.wait()
            raise
        return _endpoints(folder)


def down(folder: DataFolder) -> list[str]:
    """Stop everything; return the names of what had to be stopped."""
    entries = [entry for entry in record.read(folder) if entry.is_alive]
    supervisors = [entry.process for entry in entries if entry.name == record.SUPERVISOR]
    processes.end(supervisors, _STOP_SECONDS)
    record.end_all(folder)
    folder.endpoints.unlink(missing_ok=True)
    (folder.run / "supervisor.pid").unlink(missing_ok=True)
    return [entry.name for entry in entries]


def status(folder: DataFolder) -> list[Line]:
    """Return how each process fares; nothing where the stack does not run."""
    if not is_running(folder):
        return []
    return asyncio.run(_ask(record.read(folder)))


def is_healthy(lines: list[Line]) -> bool:
    """Say whether all of the stack works."""
    return bool(lines) and all(line.state == "running" for line in lines)


def is_running(folder: DataFolder) -> bool:
    """Say whether a supervisor runs on this folder."""
    try:
        with _lock(folder.run / "supervisor.lock", wait=False):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def wiring(folder: DataFolder) -> services.Wiring:
    """Return how the processes of a running stack know each other."""
    if not is_running(folder):
        raise Refused(f"Assay is not running in {folder.path}; start it with `assay up`.")
    return services.Wiring(
        folder, credentials.load(folder), remembered_ports(folder), services.Modules.from_environ()
    )


def remembered_ports(folder: DataFolder) -> dict[str, int]:
    """Return the ports of the last start."""
    kept = files.read_json(folder.run / "ports.json")
    return {k: v for k, v in kept.items() if isinstance(v, int)} if isinstance(kept, dict) else {}


@contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Keep others out; raise BlockingIOError where they are in and we don't wait."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _start_supervisor(folder: DataFolder, told: int) -> subprocess.Popen[bytes]:
    command = services.python(
        ("assay_serve.embedded", "supervise", "--data", str(folder.path), "--tell", str(told))
    )
    with folder.log(record.SUPERVISOR).open("ab") as log:
        try:
            return subprocess.Popen(
                command, cwd=folder.run, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(told,), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(told)


def _follow(lines: Iterator[str], folder: DataFolder, tell: Callable[[str, str], None]) -> None:
    for line in lines:
        match json.loads(line):
            case {"up": str(name), "at": str(address)}:
                tell(name, address)
            case {"failed": str(sentence), "log": str(log)}:
                raise Failed(sentence, Path(log))
            case {"refused": str(sentence)}:
                raise Refused(sentence)
            case {"done": True}:
                return
    raise Failed("Assay was stopped before it was up.", folder.log(record.SUPERVISOR))


def _found_up(folder: DataFolder) -> dict[str, str]:
    sick = [line for line in status(folder) if line.state != "running"]
    if sick:
        raise Failed(
            f"Assay runs in {folder.path} already, but {sick[0].name} is {sick[0].state}.",
            folder.log(sick[0].name),
        )
    return _endpoints(folder)


def _endpoints(folder: DataFolder) -> dict[str, str]:
    addresses = files.read_json(folder.endpoints)
    return {k: str(v) for k, v in addresses.items()} if isinstance(addresses, dict) else {}


async def _ask(entries: list[record.Entry]) -> list[Line]:
    return list(await asyncio.gather(*(_line(entry) for entry in entries)))


async def _line(entry: record.Entry) -> Line:
    state = entry.state if entry.is_alive else "restarting"
    if state == "running" and entry.port and not await health.probe(entry.name, entry.port)():
        state = "not answering"
    uptime = max(0.0, time.time() - entry.since)
    return Line(entry.name, entry.pid, entry.port, state, entry.restarts, round(uptime, 1))


def hold_supervisor_lock(folder: DataFolder) -> int:
    """Take the lock that only one supervisor of a folder may hold; return what holds it open."""
    descriptor = os.open(folder.run / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(f"Another supervisor runs on {folder.path}; use `assay status`.") from None
    return descriptor


def assign_ports(folder: DataFolder, names: tuple[str, ...]) -> dict[str, int]:
    """Return a port for each of `names`, and remember them for the next start."""
    assigned = ports.assign(names, remembered_ports(folder))
    files.write_json(folder.run / "ports.json", assigned)
    return assigned
