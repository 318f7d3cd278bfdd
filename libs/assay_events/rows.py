"""Folds row writes in memory, so that Postgres sees each finished row once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from assay_events.errors import StreamCorrupt
from assay_events.projection import OPEN, Add, Carry, Change, Drop, Put, Row, Write
from assay_events.tables import Table

_FEW_ROWS = 20
Key: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class OpenRow:
    """A row that still holds; `in_database` tells whether Postgres has it."""

    values: Row
    from_revision: int
    in_database: bool = False


@dataclass(slots=True)
class TableRows:
    """What is known and what is to be written of one table."""

    table: Table
    open: dict[Key, OpenRow] = field(default_factory=dict)
    finished: list[tuple[object, ...]] = field(default_factory=list)
    closed_in_database: dict[Key, int] = field(default_factory=dict)

    def put(self, row: Row, revision: int) -> None:
        """Begin a row, and end the one before."""
        key = self.table.key_of(row)
        self.drop(key, revision)
        self.open[key] = OpenRow(row, revision)

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
        if before is None:
            return
        if before.in_database:
            self.closed_in_database[key] = revision
        elif before.from_revision < revision:
            self.finished.append(self._interval(before, revision))

    def take_open(self) -> list[tuple[object, ...]]:
        """Return the open rows that Postgres does not have yet, and count them as written."""
        fresh = [row for row in self.open.values() if not row.in_database]
        for row in fresh:
            row.in_database = True
        return [self._interval(row, OPEN) for row in fresh]

    def _interval(self, row: OpenRow, to_revision: int) -> tuple[object, ...]:
        whole = {**row.values, "from_revision": row.from_revision, "to_revision": to_revision}
        return self.table.values(whole)


class RowFold:
    """The rows of all tables of one projection."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        """Begin without knowing any row."""
        self._rows = {name: TableRows(table) for name, table in tables.items()}

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
        """Read from Postgres the open rows that `writes` end or change."""
        wanted: dict[str, set[Key]] = {}
        for write in writes:
            rows = self._rows[write.table]
            if isinstance(write, Add):
                continue
            key = rows.table.key_of(write.row if isinstance(write, Put) else write.key)
            wanted.setdefault(write.table, set()).add(key)
            if isinstance(write, Put) and write.carry:
                carrier = self._rows[write.carry.table].table
                wanted.setdefault(carrier.name, set()).add(carrier.key_of(write.carry.key))
        for name, keys in wanted.items():
            await _fetch_open(db, self._rows[name], list(keys))

    async def flush_finished(self, db: asyncpg.Connection) -> None:
        """Write the rows that will not change again."""
        for rows in self._rows.values():
            await _copy(db, rows.table, rows.finished)
            rows.finished = []

    async def flush(self, db: asyncpg.Connection) -> None:
        """Write everything, and forget it."""
        for rows in self._rows.values():
            if rows.closed_in_database:
                await _close(db, rows.table, rows.closed_in_database)
            await _copy(db, rows.table, rows.finished + rows.take_open())
            rows.finished, rows.closed_in_database, rows.open = [], {}, {}


async def _fetch_open(db: asyncpg.Connection, rows: TableRows, keys: list[Key]) -> None:
    """Read the open rows of some keys."""
    table = rows.table
    sql = (
        f"SELECT t.* FROM {table.name} t JOIN {_keys_sql(table, 1)}"  # noqa: S608 - our own names
        f" USING ({', '.join(table.key)}) WHERE t.to_revision = {OPEN}"
    )
    for record in await db.fetch(sql, *_columns(keys, len(table.key))):
        values = dict(record)
        from_revision = values.pop("from_revision")
        values.pop("to_revision")
        rows.open[table.key_of(values)] = OpenRow(values, from_revision, in_database=True)


async def _close(db: asyncpg.Connection, table: Table, closed: Mapping[Key, int]) -> None:
    """End rows that Postgres has."""
    same = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
    keys = _keys_sql(table, 2, ", $1::bigint[]", ", ended")
    sql = (
        f"UPDATE {table.name} t SET to_revision = k.ended FROM {keys}"  # noqa: S608 - our own names
        f" WHERE {same} AND t.to_revision = {OPEN}"
    )
    await db.execute(sql, list(closed.values()), *_columns(list(closed), len(table.key)))


async def _copy(db: asyncpg.Connection, table: Table, records: list[tuple[object, ...]]) -> None:
    """Write whole rows: a few by a prepared statement, one step for Postgres instead of three."""
    if len(records) > _FEW_ROWS:
        await db.copy_records_to_table(table.name, records=records, columns=table.columns)
    elif records:
        places = ", ".join(f"${number}" for number in range(1, len(table.columns) + 1))
        names = ", ".join(table.columns)
        sql = f"INSERT INTO {table.name} ({names}) VALUES ({places})"  # noqa: S608 - our own names
        await db.executemany(sql, records)


def _keys_sql(table: Table, first: int, extra: str = "", extra_name: str = "") -> str:
    """Return a derived table `k` of keys, one array parameter a column."""
    arrays = ", ".join(
        f"${number}::{table.types[column]}[]" for number, column in enumerate(table.key, first)
    )
    return f"unnest({arrays}{extra}) AS k({', '.join(table.key)}{extra_name})"


def _columns(keys: list[Key], width: int) -> list[list[object]]:
    return [[key[place] for key in keys] for place in range(width)]
