"""Folds row writes in memory, so that Postgres sees each finished row once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from assay_events.errors import StreamCorrupt
from assay_events.projection import OPEN, Add, Carry, Change, Drop, Put, Row, Write
from assay_events.tables import Table

_MOST_KEPT = 5_000
Key: TypeAlias = tuple[object, ...]
Record: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class OpenRow:
    """A row that still holds."""

    values: Row
    from_revision: int


@dataclass(frozen=True, slots=True)
class TableChanges:
    """What Postgres must be told of one table: rows that ended, by key, and whole new rows."""

    table: Table
    ended: Mapping[Key, int]
    records: list[Record]


@dataclass(slots=True)
class TableRows:
    """What is known and what is to be written of one table.

    Postgres has the open rows but for the fresh ones. `is_whole` says that a row which is not known
    is not there; else Postgres may have it.
    """

    table: Table
    is_whole: bool
    open: dict[Key, OpenRow] = field(default_factory=dict)
    fresh: dict[Key, OpenRow] = field(default_factory=dict)
    finished: list[Record] = field(default_factory=list)
    ended: dict[Key, int] = field(default_factory=dict)

    def put(self, row: Row, revision: int) -> None:
        """Begin a row, and end the one before."""
        key = self.table.key_of(row)
        self.drop(key, revision)
        self.open[key] = self.fresh[key] = OpenRow(row, revision)

    def change(self, key_row: Row, changes: Row, revision: int) -> None:
        """Go on with other values."""
        self.put({**self.there(key_row, revision), **changes}, revision)

    def there(self, key_row: Row, revision: int) -> Row:
        """Return the values of a row that must hold."""
        found = self.open.get(self.table.key_of(key_row))
        if found is None:
            raise StreamCorrupt(
                f"The event at revision {revision} needs a row of {self.table.name} "
                f"that is not there: {key_row}.",
                revision,
            )
        return found.values

    def drop(self, key: Key, revision: int) -> None:
        """End the row of `key`, if there is one."""
        before = self.open.pop(key, None)
        if key in self.fresh:
            del self.fresh[key]
            if before is not None and before.from_revision < revision:
                self.finished.append(self._interval(before, revision))
        elif before is not None or not self.is_whole:
            self.ended.setdefault(key, revision)

    def take_changes(self) -> TableChanges:
        """Return what Postgres does not know yet, and count it as written."""
        records = self.finished + [self._interval(row, OPEN) for row in self.fresh.values()]
        changes = TableChanges(self.table, self.ended, records)
        self.finished, self.ended, self.fresh = [], {}, {}
        return changes

    def _interval(self, row: OpenRow, to_revision: int) -> Record:
        whole = {**row.values, "from_revision": row.from_revision, "to_revision": to_revision}
        return self.table.values(whole)


class RowFold:
    """The rows of all tables of one projection."""

    def __init__(self, tables: Mapping[str, Table], *, is_whole: bool = False) -> None:
        """Begin without knowing any row; with `is_whole` there are none yet."""
        self._rows = {name: TableRows(table, is_whole) for name, table in tables.items()}

    @property
    def finished_count(self) -> int:
        """Number of rows that wait to be written and will not change again."""
        return sum(len(rows.finished) for rows in self._rows.values())

    def apply(self, write: Write, revision: int) -> None:
        """Take in one write."""
        rows = self._rows[write.table]
        match write:
            case Add():
                rows.finished.append(rows.table.values(write.row))
            case Put(carry=None):
                rows.put(write.row, revision)
            case Put(carry=Carry() as carry):
                there = self._rows[carry.table].there(carry.key, revision)
                carried = {here: there[column] for here, column in carry.columns.items()}
                rows.put({**write.row, **carried}, revision)
            case Change():
                rows.change(write.key, write.changes, revision)
            case Drop():
                rows.drop(rows.table.key_of(write.key), revision)

    async def fetch_open(self, db: asyncpg.Connection, writes: Iterable[Write]) -> None:
        """Read from Postgres the unknown open rows whose values `writes` go on with.

        What `writes` only end is ended unseen.
        """
        wanted: dict[str, set[Key]] = {}
        for table, key_row in _needed(writes):
            rows = self._rows[table]
            key = rows.table.key_of(key_row)
            if key not in rows.open:
                wanted.setdefault(table, set()).add(key)
        for name, keys in wanted.items():
            await _fetch_open(db, self._rows[name], list(keys))

    def take_finished(self) -> list[TableChanges]:
        """Return the rows that will not change again, and count them as written."""
        taken = [TableChanges(rows.table, {}, rows.finished) for rows in self._rows.values()]
        for rows in self._rows.values():
            rows.finished = []
        return taken

    def take_changes(self) -> list[TableChanges]:
        """Return all that Postgres does not know yet, and count it as written."""
        taken = [rows.take_changes() for rows in self._rows.values()]
        return [changes for changes in taken if changes.ended or changes.records]

    def trim(self) -> None:
        """Keep memory bounded: Postgres has what is forgotten."""
        if sum(len(rows.open) for rows in self._rows.values()) > _MOST_KEPT:
            for rows in self._rows.values():
                rows.open = {}


def _needed(writes: Iterable[Write]) -> Iterator[tuple[str, Row]]:
    """Yield the table and the key of each row whose values are needed."""
    for write in writes:
        if isinstance(write, Change):
            yield write.table, write.key
        elif isinstance(write, Put) and write.carry:
            yield write.carry.table, write.carry.key


async def _fetch_open(db: asyncpg.Connection, rows: TableRows, keys: list[Key]) -> None:
    """Read the open rows of some keys."""
    table = rows.table
    sql = (
        f"SELECT t.* FROM {table.keys_sql(1)} {table.newest_sql()}"  # noqa: S608 - our own names
        f" JOIN {table.name} t ON {table.newest_open_sql()}"
    )
    for record in await db.fetch(sql, *table.key_columns(keys)):
        values = dict(record)
        from_revision = values.pop("from_revision")
        values.pop("to_revision")
        rows.open[table.key_of(values)] = OpenRow(values, from_revision)
