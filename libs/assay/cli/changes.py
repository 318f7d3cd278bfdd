"""What changed and what differs, one row a field."""

from collections.abc import Sequence

from assay.cli.screen import Screen, moment, short_version
from assay.cli.tables import Column
from assay.cli.visible import brief
from assay.metadata.v1.metadata_service_pb2 import CompareModelVersionsResponse
from assay.metadata.v1.resources_pb2 import FieldChange, HistoryEntry

_CHANGE_COLUMNS = (
    Column("RESOURCE", goes=1),
    Column("FIELD"),
    Column("BEFORE", least=12),
    Column("AFTER", least=12),
)
_HISTORY_COLUMNS = (
    Column("REV"),
    Column("TIME", goes=2),
    Column("BY", goes=1),
    Column("EVENT"),
    Column("OF", goes=3, least=12),
    Column("CHANGES", least=24),
)
_NOTHING = "-"


def show_changes(screen: Screen, changes: Sequence[FieldChange], empty: str) -> None:
    """Print fields with their values before and after."""
    rows = [
        [_short(change.resource), change.field, _told(change.previous_value), _told(change.value)]
        for change in changes
    ]
    screen.table(_CHANGE_COLUMNS, rows, empty)


def show_differences(
    screen: Screen, answer: CompareModelVersionsResponse, name: str, other_name: str
) -> None:
    """Print in which fields two versions differ."""
    columns = (
        Column("FIELD"),
        Column(short_version(name), least=12),
        Column(short_version(other_name), least=12),
    )
    rows = [
        [change.field, _told(change.value), _told(change.previous_value)]
        for change in answer.differences
    ]
    screen.table(columns, rows, "They say the same.")
    if answer.same_files:
        screen.say("Their files are the same, byte for byte.")


def show_history(screen: Screen, entries: Sequence[HistoryEntry]) -> None:
    """Print what happened, with the values before and after."""
    rows = [
        [
            str(entry.revision),
            moment(entry.time),
            screen.who(entry.actor),
            entry.type.rpartition(".")[2],
            _short(entry.resource),
            "\n".join(_lines(entry)),
        ]
        for entry in entries
    ]
    screen.table(_HISTORY_COLUMNS, rows, "Nothing happened.")


def _lines(entry: HistoryEntry) -> list[str]:
    fields = [
        f"{change.field}: {_from(change.previous_value)}{_told(change.value)}"
        for change in entry.field_changes
    ]
    told = fields or [brief(change) for change in entry.changes]
    return [*told, *([f"reason: {brief(entry.reason)}"] if entry.reason else [])]


def _from(value: str) -> str:
    return f"{_told(value)} → " if value else ""


def _told(value: str) -> str:
    return brief(short_version(value)) or _NOTHING


def _short(resource: str) -> str:
    """Return a resource name without its namespace."""
    return "/".join(resource.split("/")[2:]) or resource
