"""The terminal: tables that fit, times and names as people read them, bars while they wait."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Literal

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from assay.cli.tables import Column, layout
from assay.cli.visible import one_line, visible, visible_json
from assay.errors import AssayError
from assay.folder import DataFolder
from assay.progress import Listener, ignore
from assay.progress import Progress as Done

_PIPE_WIDTH = 1_000_000  # whoever reads a pipe wants whole lines
_LINES_BESIDE_A_TABLE = 4
_SHORT_DIGEST = len("sha256:") + 12
_SHORT_ID = 8


def to_dict(message: Message) -> dict[str, object]:
    """Return the proto JSON of `message` with the names of the proto, empty fields too."""
    value: dict[str, object] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return value


def to_json(message: Message, *, indent: int | None = 2) -> str:
    """Return the proto JSON of `message`, on one line where there is no indent."""
    return visible_json(json.dumps(to_dict(message), indent=indent, ensure_ascii=False))


class Screen:
    """Prints for people."""

    def __init__(self, folder: DataFolder) -> None:
        self._is_terminal = sys.stdout.isatty()
        width = None if self._is_terminal else _PIPE_WIDTH
        self._console = Console(width=width, highlight=False, soft_wrap=False)
        self._folder = folder
        self._logins: dict[str, str] | None = None
        self._is_drawn_again = False

    @property
    def width(self) -> int:
        """The number of characters that fit on a line."""
        return self._console.width

    def say(self, text: str = "") -> None:
        """Print one line."""
        self._console.print(Text(one_line(text)), soft_wrap=True)

    def draw_again(self) -> None:
        """Begin at the top of an empty terminal; below each other where there is none."""
        if self._is_terminal:
            self._console.clear()
            self._is_drawn_again = True

    def table(
        self, columns: Sequence[str | Column], rows: Iterable[Sequence[str]], empty: str
    ) -> None:
        """Print rows under their columns, or the sentence `empty` where there is none.

        Columns that do not fit the terminal are left out, and named below.
        """
        cells = [[visible(cell) for cell in row] for row in rows]
        if not cells:
            self.say(empty)
            return
        named = [Column(c.upper()) if isinstance(c, str) else c for c in columns]
        titles = [visible(column.title) for column in named]
        widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
        widths = [max(w, cell_len(title)) for w, title in zip(widths, titles, strict=True)]
        shown = layout(named, widths, self.width)
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
        for index, width in sorted(shown.items()):
            cut = bool(named[index].least)
            overflow: Literal["ellipsis", "fold"] = "ellipsis" if cut else "fold"
            title = Text(titles[index])  # a metric's key may look like markup
            table.add_column(title, width=width, no_wrap=cut, overflow=overflow)
        for row in cells[: self._most_rows()]:
            table.add_row(*(Text(row[index]) for index in sorted(shown)))
        self._print(table)
        self._say_what_is_missing(
            len(cells), [title for index, title in enumerate(titles) if index not in shown]
        )

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Print what is known, one fact a line, without the empty ones."""
        table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            if value:
                table.add_row(Text(name), Text(visible(value)))
        self._print(table)

    def _most_rows(self) -> int:
        """Return how many rows are shown: those that fit, where they are drawn again and again."""
        if not self._is_drawn_again:
            return sys.maxsize
        return max(self._console.height - _LINES_BESIDE_A_TABLE, 1)

    def _say_what_is_missing(self, rows: int, columns: Sequence[str]) -> None:
        more = rows - self._most_rows()
        if more > 0:
            self.say(f"… and {more} more")
        if columns:
            self.say(f"(too narrow for {', '.join(columns)})")

    def _print(self, table: Table) -> None:
        """Print a table without the blanks that fill its last column."""
        with self._console.capture() as captured:
            self._console.print(table)
        for line in captured.get().splitlines():
            print(line.rstrip())

    def who(self, principal: str) -> str:
        """Return a principal as people know it: the login, where this folder knows it."""
        if self._logins is None:
            try:
                self._logins = self._folder.logins()
            except AssayError:
                self._logins = {}
        name = principal.removeprefix("principals/")
        if principal == name:
            return principal.removeprefix("services/")
        return self._logins.get(name, name[:_SHORT_ID])

    @contextmanager
    def transfer(self, *, quiet: bool) -> Iterator[Listener]:
        """Show a bar for each step of a transfer, where somebody looks."""
        if quiet or not sys.stderr.isatty():
            yield ignore
            return
        columns = (TextColumn("{task.description:>8}"), BarColumn(), DownloadColumn())
        console = Console(stderr=True)
        with Progress(*columns, TransferSpeedColumn(), console=console, transient=True) as bars:
            tasks = {step: bars.add_task(step, visible=False) for step in _STEPS}

            def show(done: Done) -> None:
                bars.update(
                    tasks[done.step],
                    completed=done.done_bytes,
                    total=done.total_bytes,
                    visible=True,
                )

            yield show

    @contextmanager
    def waiting(self, for_what: str, *, quiet: bool) -> Iterator[None]:
        """Show that something is waited for, where somebody looks."""
        if quiet or not sys.stderr.isatty():
            yield
            return
        with Console(stderr=True).status(for_what):
            yield


_STEPS = ("hash", "send", "receive")


def _width(cell: str) -> int:
    """Return how wide a cell is: as its longest line."""
    return max((cell_len(line) for line in cell.splitlines()), default=0)


def moment(time: Timestamp) -> str:
    """Return a time in UTC to the second, empty for none."""
    if not time.seconds:
        return ""
    return f"{time.ToDatetime(tzinfo=UTC):%Y-%m-%d %H:%M:%S}Z"


def short_digest(digest: str) -> str:
    """Return the beginning of a digest, enough to tell it from others."""
    return digest[:_SHORT_DIGEST]


def last(name: str) -> str:
    """Return the last id of a resource name."""
    return name.rpartition("/")[2]


def short_version(name: str) -> str:
    """Return `namespaces/default/models/churn/versions/3` as churn/3."""
    match name.split("/"):
        case ["namespaces", _, "models", model, "versions", number]:
            return f"{model}/{number}"
    return name


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    value, units = float(count), ("B", "kB", "MB", "GB", "TB")
    for unit in units:
        if value < 1000 or unit == units[-1]:  # noqa: PLR2004 - SI prefixes
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""
