"""A command of the registry on a terminal of a given width."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.e2e.conftest import Assay

LONGEST_SECONDS = 60


class Terminal:
    """A running command; `seen` is what it has written so far."""

    def __init__(self, assay: Assay, *words: str, columns: int = 80, lines: int = 24) -> None:
        """Start the command."""
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
        for name in ("COLUMNS", "LINES"):
            inherited.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "assay.cli", *words],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**inherited, "ASSAY_DATA": str(assay.data), "TERM": "xterm"},
        )
        os.close(inner)
        self.seen = ""

    def until(self, is_there: Callable[[str], bool]) -> str:
        """Read on until what was written is as wanted, and return it."""
        end = time.monotonic() + LONGEST_SECONDS
        while not is_there(self.seen):
            assert time.monotonic() < end, self.seen
            if not self._read():
                break
        assert is_there(self.seen), self.seen
        return self.seen

    def ended(self) -> int:
        """Read to the end and return the status."""
        while self._read():
            pass
        return self._process.wait(LONGEST_SECONDS)

    def interrupt(self) -> int:
        """Press Ctrl-C and return the status."""
        self._process.send_signal(signal.SIGINT)
        return self.ended()

    def _read(self) -> bool:
        try:
            got = os.read(self._fd, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += got.decode(errors="replace").replace("\r\n", "\n")
        return bool(got)

    def __enter__(self) -> Self:
        """Return the terminal."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the command where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._fd)
