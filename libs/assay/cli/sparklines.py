"""Sparklines: how a number went, in one line."""

import math
from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"
_LEVEL = "▄"
_NOTHING = " "


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return one bar a value, at most `width`; neighbours share a bar where there are more.

    Example:
        >>> sparkline([0.0, 0.5, None, 1.0], 10)
        '▁▅ █'
    """
    shown = _merged(values, max(width, 1))
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    # Halves: the difference of two large numbers is then a number too.
    low, high = min(known) / 2, max(known) / 2
    return "".join(_bar(value, low, high) for value in shown)


def _bar(value: float | None, low: float, high: float) -> str:
    if value is None:
        return _NOTHING
    if high == low:
        return _LEVEL
    share = (value / 2 - low) / (high - low)
    return _BARS[min(math.floor(share * len(_BARS)), len(_BARS) - 1)]


def _merged(values: Sequence[float | None], width: int) -> Sequence[float | None]:
    """Return at most `width` values: the mean of each run of neighbours."""
    if len(values) <= width:
        return values
    edges = [round(place * len(values) / width) for place in range(width + 1)]
    return [_mean(values[begin:end]) for begin, end in pairwise(edges)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(value / len(known) for value in known) if known else None  # no sum is too large
