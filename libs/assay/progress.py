"""How far a transfer is: told to whoever wants to show it."""

import threading
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes done of one step; several steps may be under way at the same time."""

    step: str
    done_bytes: int
    total_bytes: int


class Listener(Protocol):
    """Is called with each advance, from any thread."""

    def __call__(self, progress: Progress, /) -> None:
        """Take note of `progress`."""


def ignore(_: Progress) -> None:
    """Show nothing."""


@dataclass(slots=True)
class Advance:
    """Counts the bytes of one step, from any thread, and tells the listener."""

    step: str
    total_bytes: int
    listen: Listener
    done_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, count: int) -> None:
        """Count `count` bytes more, or less where some must be sent again."""
        with self._lock:
            self.done_bytes += count
            done = self.done_bytes
        self.listen(Progress(self.step, done, self.total_bytes))
