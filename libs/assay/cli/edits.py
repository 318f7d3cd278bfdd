"""Labels and owners set and removed: read, changed, and written only if nobody else wrote."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from assay.errors import Aborted, Invalid

_Read = TypeVar("_Read")
_Written = TypeVar("_Written")
_ATTEMPTS = 9  # about 13 seconds of waiting in all
_FIRST_DELAY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Edit:
    """What is set in a collection, and what is taken out of it."""

    tags: Mapping[str, str]
    untag: Iterable[str] = ()
    owners: Iterable[str] = ()
    disown: Iterable[str] = ()

    def tags_after(self, before: Mapping[str, str]) -> dict[str, str]:
        """Return the labels after the edit."""
        gone = frozenset(self.untag)
        return {key: value for key, value in {**before, **self.tags}.items() if key not in gone}

    def owners_after(self, before: Iterable[str]) -> list[str]:
        """Return the owners after the edit, each once."""
        gone = frozenset(self.disown)
        return [who for who in dict.fromkeys([*before, *self.owners]) if who not in gone]


def require_something(paths: Iterable[str], options: str) -> None:
    """Refuse an update that changes nothing."""
    if not list(paths):
        raise Invalid(f"Say what to change: {options}.", reason="REQUIRED")


def read_and_write(
    read: Callable[[], _Read], write: Callable[[_Read], _Written], *, is_pinned: bool
) -> _Written:
    """Return what `write` makes of what was read; begin again where somebody else wrote between.

    With `is_pinned` the caller named the etag, and one mismatch is final.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return write(read())
        except Aborted as mismatch:
            is_last = attempt == _ATTEMPTS - 1
            if mismatch.reason != "ETAG_MISMATCH" or is_pinned or is_last:
                raise
            time.sleep(_FIRST_DELAY_SECONDS * 2.0**attempt)
    raise AssertionError  # the last attempt returned or raised
