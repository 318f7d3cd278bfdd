"""Which processes of a stack run: what the supervisor writes down and others read."""

import signal
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from assay_serve.embedded import files, processes
from assay_serve.embedded.data_folder import DataFolder

SUPERVISOR = "supervisor"
_STOP = {"postgres": signal.SIGINT, "s3": signal.SIGKILL}
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One process: known by its pid and when it started."""

    name: str
    pid: int
    started: str
    port: int
    state: str
    restarts: int
    since: float

    @property
    def process(self) -> processes.Stranger:
        """The process, and how to stop it."""
        return processes.Stranger(self.pid, self.started, _STOP.get(self.name, signal.SIGTERM))

    @property
    def is_alive(self) -> bool:
        """Whether it runs still."""
        return self.process.is_alive


def write(folder: DataFolder, entries: Iterable[Entry]) -> None:
    """Write down what runs now."""
    files.write_json(folder.run / "processes.json", [asdict(entry) for entry in entries])


def read(folder: DataFolder) -> list[Entry]:
    """Return what was written down last."""
    written = files.read_json(folder.run / "processes.json")
    return (
        [entry for item in written if (entry := _entry(item))] if isinstance(written, list) else []
    )


def end_all(folder: DataFolder) -> list[str]:
    """Stop what a supervisor that is gone left behind; return the names."""
    left = [entry for entry in read(folder) if entry.name != SUPERVISOR and entry.is_alive]
    processes.end((entry.process for entry in left), _GRACE_SECONDS)
    return [entry.name for entry in left]


def _entry(item: files.Json) -> Entry | None:
    match item:
        case {
            "name": str(name),
            "pid": int(pid),
            "started": str(started),
            "port": int(port),
            "state": str(state),
            "restarts": int(restarts),
            "since": float(since) | int(since),
        }:
            return Entry(name, pid, started, port, state, restarts, since)
    return None
