"""How everything here is measured: sides take turns within one run, and medians are compared."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Measure: TypeAlias = Callable[[], Awaitable[float]]
Call: TypeAlias = Callable[[], Awaitable[object]]
MILLI = 1000.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """One claim: what was measured, what it is held against, and the bar; no bar, no verdict."""

    what: str
    ours: float
    unit: str
    limit: float = 0.0
    limit_name: str = ""
    at_least: float = 0.0
    at_most: float = 0.0
    note: str = ""

    @property
    def value(self) -> float:
        """Ours divided by the limit, 0 where there is none."""
        return self.ours / self.limit if self.limit else 0.0

    @property
    def is_met(self) -> bool:
        """Whether the ratio clears its bar; true where there is none."""
        if self.at_most:
            return self.value <= self.at_most
        return self.value >= self.at_least

    @property
    def bar(self) -> str:
        """The bar in words, empty for none."""
        if self.at_most:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least else ""


@dataclass(slots=True)
class Bench:
    """What every case is given."""

    folder: Path
    say: Callable[[str], None]
    rounds: int = 5
    seconds: float = 1.0
    is_quick: bool = False
    is_long: bool = False
    mlflow: Path | None = None

    def scratch(self, name: str) -> Path:
        """Return a new folder for the data of a server."""
        path = self.folder / name
        path.mkdir(mode=0o700, parents=True)
        return path

    async def interleave(self, sides: Mapping[str, Measure]) -> dict[str, float]:
        """Return the median of each side over the rounds; the first, unrecorded, warms up.

        Each round begins with another side.
        """
        found: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(self.rounds + 1):
            for name in _turned(list(sides), number):
                value = await sides[name]()
                if number:
                    found[name].append(value)
        for name, values in found.items():
            self.say(f"  {name}: {_spread(values)}")
        return {name: statistics.median(values) for name, values in found.items()}


async def p50_ms(call: Call, seconds: float) -> float:
    """Return the median time of `call`, made one after the other for some time."""
    times: list[float] = []
    until = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < until or not times:
        await call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * MILLI


async def rate(call: Call, in_flight: int, seconds: float) -> float:
    """Return how many calls a second end while `in_flight` are always under way."""
    begun = time.perf_counter()
    until, count = begun + seconds, 0

    async def keep_calling() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await call()
            count += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(keep_calling())
    return count / (time.perf_counter() - begun)


def _turned(names: Sequence[str], by: int) -> Sequence[str]:
    by %= len(names)
    return [*names[by:], *names[:by]]


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.4g} ({min(values):,.4g} to {max(values):,.4g})"
