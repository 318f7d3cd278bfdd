"""Writes what a batch brought: a little in one statement, much by COPY in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from assay_events.projection import Write
from assay_events.rows import Key, RowFold, TableChanges
from assay_events.tables import Table

_FEW_ROWS = 20

MOVE = "UPDATE position SET revision = $2, stream_time = $3 WHERE revision = $1"
MOVE_AND_NOTE = """
moments AS (INSERT INTO moment SELECT * FROM unnest($4::bigint[], $5::timestamptz[])),
heads AS (
    INSERT INTO head SELECT * FROM unnest($6::text[], $7::bytea[], $8::bigint[])
    ON CONFLICT (subject) DO UPDATE SET digest = excluded.digest, revision = excluded.revision
),
moved AS (UPDATE position SET revision = $2, stream_time = $3 WHERE revision = $1 RETURNING true)
SELECT 1 / count(*) FROM moved
"""  # a position that is elsewhere divides by zero, which undoes the whole statement


class PositionMoved(Exception):
    """The read model is not where this projector left it."""


@dataclass(slots=True)
class Mark:
    """Where a read model stands."""

    revision: int
    stream_time: datetime


@dataclass(slots=True)
class Taken:
    """What was read and is not written yet."""

    writes: list[tuple[int, Write]] = field(default_factory=list)
    moments: list[tuple[int, datetime]] = field(default_factory=list)
    heads: dict[str, tuple[bytes, int]] = field(default_factory=dict)


async def write(
    db: asyncpg.Connection, fold: RowFold, taken: Taken, before: int, mark: Mark
) -> None:
    """Write what was taken and how far that is, all or nothing.

    Raise PositionMoved where Postgres is not at `before`.
    """
    if not taken.writes and not taken.heads:
        await _move(db, before, mark)
        return
    await fold.fetch_open(db, (write for _, write in taken.writes))
    for revision, write_ in taken.writes:
        fold.apply(write_, revision)
    changes = fold.take_changes()
    if sum(len(table.records) for table in changes) <= _FEW_ROWS:
        await _write_at_once(db, changes, taken, before, mark)
    else:
        async with db.transaction():
            for table in changes:
                await write_table(db, table)
            await move_and_note(db, taken, before, mark)
    fold.trim()


async def write_table(db: asyncpg.Connection, changes: TableChanges) -> None:
    """End rows that Postgres has, and copy whole new ones."""
    table = changes.table
    if changes.ended:
        await db.execute(_end_sql(table, 1), *_end_arguments(table, changes.ended))
    if changes.records:
        await db.copy_records_to_table(table.name, records=changes.records, columns=table.columns)


async def move_and_note(db: asyncpg.Connection, taken: Taken, before: int, mark: Mark) -> None:
    """Move the position from `before` to `mark`, and note moments and heads."""
    await _write_at_once(db, [], taken, before, mark)


async def _move(db: asyncpg.Connection, before: int, mark: Mark) -> None:
    """Move the position past events of no concern."""
    status: str = await db.execute(MOVE, before, mark.revision, mark.stream_time)
    if status != "UPDATE 1":
        raise PositionMoved


async def _write_at_once(
    db: asyncpg.Connection, changes: Sequence[TableChanges], taken: Taken, before: int, mark: Mark
) -> None:
    """Do everything in one statement, whose parts see the tables as they were before it."""
    arguments = [before, mark.revision, mark.stream_time, *_notes(taken)]
    parts = list[str]()
    for sql, more in _parts(changes, len(arguments) + 1):
        parts.append(f"part_{len(parts)} AS ({sql}),\n")
        arguments += more
    try:
        await db.fetchval(f"WITH {''.join(parts)}{MOVE_AND_NOTE}", *arguments)
    except asyncpg.DivisionByZeroError as error:
        raise PositionMoved from error


def _notes(taken: Taken) -> list[object]:
    return [
        [revision for revision, _ in taken.moments],
        [time for _, time in taken.moments],
        list(taken.heads),
        [digest for digest, _ in taken.heads.values()],
        [revision for _, revision in taken.heads.values()],
    ]


def _parts(changes: Sequence[TableChanges], first: int) -> Iterator[tuple[str, list[object]]]:
    """Yield for each table what ends rows and what adds some, with parameters from `$first` on."""
    for each in changes:
        if each.ended:
            arguments = _end_arguments(each.table, each.ended)
            yield _end_sql(each.table, first), arguments
            first += len(arguments)
        if each.records:
            arguments = [value for record in each.records for value in record]
            yield _insert_sql(each.table, len(each.records), first), arguments
            first += len(arguments)


def _end_sql(table: Table, first: int) -> str:
    return (
        f"UPDATE {table.name} t SET to_revision = k.ended"  # noqa: S608 - our own names
        f" FROM {table.keys_sql(first, 'ended bigint')} {table.newest_sql()}"
        f" WHERE {table.newest_open_sql()}"
    )


def _end_arguments(table: Table, ended: Mapping[Key, int]) -> list[object]:
    return [*table.key_columns(list(ended)), list(ended.values())]


def _insert_sql(table: Table, count: int, first: int) -> str:
    width = len(table.columns)
    rows = ", ".join(
        f"({', '.join(f'${place}' for place in range(begin, begin + width))})"
        for begin in range(first, first + count * width, width)
    )
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES {rows}"  # noqa: S608 - our own names
