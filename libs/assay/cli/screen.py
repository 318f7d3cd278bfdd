"""The terminal: tables that fit, times and names as people read them, bars while they wait."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from assay.errors import AssayError
from assay.folder import DataFolder
from assay.progress import Listener, ignore
from assay.progress import Progress as Done

_PIPE_WIDTH = 200
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
    return json.dumps(to_dict(message), indent=indent, ensure_ascii=False)


class Screen:
    """Prints for people."""

    def __init__(self, folder: DataFolder) -> None:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        self._console = Console(width=width, highlight=False, soft_wrap=False)
        self._folder = folder
        self._logins: dict[str, str] | None = None

    def say(self, text: str = "") -> None:
        """Print one or more lines as they are."""
        self._console.print(Text(visible(text)), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
        """Print rows under their columns, or the sentence `empty` where there is none."""
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
        for column in columns:
            table.add_column(column.upper(), overflow="fold")
        for row in rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        if table.row_count:
            self._print(table)
        else:
            self.say(empty)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Print what is known, one fact a line, without the empty ones."""
        table = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            if value:
                table.add_row(Text(name), Text(visible(value)))
        self._print(table)

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


def visible(text: str) -> str:
    """Return `text` with each character that hides, moves or breaks text written as its number."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{{{ord(c):x}}}" for c in text)


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
    parts = name.split("/")
    return f"{parts[3]}/{parts[5]}" if len(parts) == 6 else name  # noqa: PLR2004 - its form


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    value, units = float(count), ("B", "kB", "MB", "GB", "TB")
    for unit in units:
        if value < 1000 or unit == units[-1]:  # noqa: PLR2004 - SI prefixes
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""
