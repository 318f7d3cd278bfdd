"""What a search says below its rows: how many there are, and how to go on."""

from typing import Protocol

from assay.cli.command import Context
from assay.cli.screen import Screen

_MOST_COUNTED = 10_000


class _Found(Protocol):
    """The answer of a search."""

    @property
    def total_count(self) -> int:
        """How many fit, where that was asked."""

    @property
    def next_page_token(self) -> str:
        """Where the next page begins, empty on the last."""


def tell_rest(context: Context, screen: Screen, found: _Found, shown: int, *, asked: bool) -> None:
    """Say how many fit, where it was asked, and which command shows those that follow."""
    if asked:
        total = found.total_count
        counted = f"more than {_MOST_COUNTED}" if total > _MOST_COUNTED else str(total)
        screen.say(f"{shown} of {counted}")
    if found.next_page_token:
        screen.say(f"Next: {context.again('--page', found.next_page_token)}")
