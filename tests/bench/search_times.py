"""Times of single calls, and what they took of the cores: the latter hardly minds other work."""

import time
from dataclasses import dataclass, field

from tests.bench.harness import MILLI, Call
from tests.bench.machine import cpu_seconds

_ENOUGH = 300


@dataclass(slots=True)
class Times:
    """Milliseconds of calls, the first of which warms up; `pid` is who works for them elsewhere."""

    pid: int = 0
    taken: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        """Whether a hundredth of them is more than one or two."""
        return len(self.taken) > _ENOUGH

    def at(self, share: float) -> float:
        """Return the time within which this share of the calls ended."""
        return _at(self.taken[1:], share)

    async def time(self, call: Call) -> None:
        """Time one call."""
        used, begun = self._used(), time.perf_counter()
        await call()
        self.taken.append((time.perf_counter() - begun) * MILLI)
        self.used.append((self._used() - used) * MILLI)

    def _used(self) -> float:
        return time.process_time() + (cpu_seconds(self.pid) if self.pid else 0)

    def __str__(self) -> str:
        if not self.taken[1:]:
            return "-"
        told = f"{self.at(0.5):.1f} ms, p99 {self.at(0.99):.1f}"
        if not self.pid:
            return told
        cpu = self.used[1:]
        return f"{told} (of the cores {_at(cpu, 0.5):.1f}, p99 {_at(cpu, 0.99):.1f})"


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
