"""How wide the columns of a table are: all that fit, and the most telling ones where not all do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GAP = 2
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        goes: When it is left out of a table that does not fit: 1 before 2, 0 never.
        least: Width down to which its cells are cut, 0 where they are kept whole.
    """

    title: str
    goes: int = 0
    least: int = 0


def layout(columns: Sequence[Column], widths: Sequence[int], room: int) -> dict[int, int]:
    """Return the width of each column that is shown, by its index, so that they fit into `room`.

    Columns go first, by their turn; then cells are cut; what must stay is folded at last.
    """
    shown = dict(enumerate(widths))
    turns = sorted((c.goes, i) for i, c in enumerate(columns) if c.goes)
    for _, index in turns:
        if _total(min(width, _least(columns[i], width)) for i, width in shown.items()) <= room:
            break
        del shown[index]
    for index in sorted(shown, key=lambda i: -shown[i]):
        _narrow(shown, index, _least(columns[index], shown[index]), room)
    for index in sorted(shown, key=lambda i: -shown[i]):
        _narrow(shown, index, min(_NARROWEST, shown[index]), room)
    return shown


def _least(column: Column, width: int) -> int:
    return min(max(column.least, len(column.title)), width) if column.least else width


def _narrow(shown: dict[int, int], index: int, least: int, room: int) -> None:
    """Take from one column what the table is too wide, as far as it goes."""
    excess = _total(shown.values()) - room
    if excess > 0:
        shown[index] = max(shown[index] - excess, least)


def _total(widths: Iterable[int]) -> int:
    listed = list(widths)
    return sum(listed) + GAP * (len(listed) - 1)
