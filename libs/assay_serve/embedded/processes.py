"""Processes that end with their parent, and processes known by pid and start time."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from assay_serve.embedded.failures import Failed

# gRPC's own handlers of a fork may abort the child before it has become the program.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Program:
    """A program to start: everything it gets, and how it wants to be stopped."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGTERM  # what it gets when its parent dies
    grace_seconds: float = 10.0


def start(program: Program) -> subprocess.Popen[bytes]:
    """Start `program` with its own environment only; it ends when the calling thread ends."""
    parent = os.getpid()

    def tie_to_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, program.orphan_signal)
            if os.getppid() != parent:
                os._exit(1)

    own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    descriptor = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            program.argv,
            cwd=program.folder,
            env={**own, **program.env},
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            umask=0o077,
            preexec_fn=tie_to_parent,  # noqa: PLW1509 - nothing else can tie it, and nothing is locked here
        )
    except OSError as error:
        raise Failed(f"{program.name} can't be started: {error}.", program.log) from error
    finally:
        os.close(descriptor)


def stop(process: subprocess.Popen[bytes], program: Program) -> None:
    """Ask `process` to stop, and kill it when its grace has passed."""
    if process.poll() is not None:
        return
    process.send_signal(program.stop_signal)
    try:
        process.wait(program.grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_time(pid: int) -> str:
    """Return when process `pid` started, as the system counts; empty where there is none.

    A pid alone may by now belong to another process; a pid and its start time may not.
    """
    if sys.platform != "linux":
        shown = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A process that is no child of ours, and how it wants to be stopped."""

    pid: int
    started: str
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def is_alive(self) -> bool:
        """Whether it runs still, and not another by its pid."""
        return bool(self.started) and start_time(self.pid) == self.started


def end(strangers: Iterable[Stranger], grace_seconds: float) -> None:
    """Stop them all at once: ask, wait, kill."""
    left = list(strangers)
    for last, seconds in ((False, grace_seconds), (True, 5.0)):
        left = [stranger for stranger in left if stranger.is_alive]
        for stranger in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stranger.pid, signal.SIGKILL if last else stranger.stop_signal)
        wait_until(partial(_are_gone, left), seconds)


def _are_gone(strangers: list[Stranger]) -> bool:
    return not any(stranger.is_alive for stranger in strangers)


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until `is_so()`, at most `seconds`, and say whether it came to be so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass(slots=True)
class Running:
    """A server that a test may stop, kill and start again on the same port and data."""

    program: Program
    is_ready: Callable[[], bool]
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 while it is stopped."""
        return self._process.pid if self._process else 0

    def start(self, seconds: float = 30.0) -> None:
        """Start it and wait until it answers."""
        process = self._process = start(self.program)
        wait_until(lambda: self.is_ready() or process.poll() is not None, seconds)
        if process.poll() is not None or not self.is_ready():
            self.kill()
            raise Failed(f"{self.program.name} did not start.", self.program.log)

    def stop(self) -> None:
        """Stop it in good order."""
        if self._process:
            stop(self._process, self.program)
        self._process = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None
