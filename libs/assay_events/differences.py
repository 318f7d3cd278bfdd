"""Compares the tables of two read models row by row, as of the revision that both have reached."""

from dataclasses import dataclass

import asyncpg

from assay_events.projection import OPEN
from assay_events.tables import Table, load_tables

# The columns that tell at which revision a row came to be; a table has one of them.
_BORN = ("from_revision", "revision", "registered")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row of a table that the live read model and a rebuild do not share."""

    table: str
    row: str
    only_in: str

    def __str__(self) -> str:
        """Return the difference as one sentence."""
        return f"Table {self.table}: only the {self.only_in} has the row {self.row}."


async def first_differences(db: asyncpg.Connection, live: str, rebuilt: str) -> list[Difference]:
    """Return for each table the first rows that only one side has."""
    tables = await load_tables(db, rebuilt)
    found: list[Difference] = []
    async with db.transaction(isolation="repeatable_read", readonly=True):
        revision = min(await _position(db, live), await _position(db, rebuilt))
        for table in tables.values():
            for only_in, one, other in (("live table", live, rebuilt), ("rebuild", rebuilt, live)):
                row = await db.fetchval(_except_sql(table, one, other), revision)
                if row is not None:
                    found.append(Difference(table.name, row, only_in))
    return found


async def _position(db: asyncpg.Connection, schema: str) -> int:
    revision: int = await db.fetchval(f"SELECT revision FROM {schema}.position")  # noqa: S608 - our own schema
    return revision


def _except_sql(table: Table, one: str, other: str) -> str:
    """Return a query for the first row, as JSON text, that `one` has and `other` has not.

    Up to revision $1.
    """
    key = ", ".join(table.key)
    return (
        "SELECT row_to_json(d)::text FROM"  # noqa: S608 - names of our own schema
        f" ({_rows_sql(table, one)} EXCEPT ALL {_rows_sql(table, other)}) d"
        f" ORDER BY {key} LIMIT 1"
    )


def _rows_sql(table: Table, schema: str) -> str:
    """Return a query for the rows of a table as of revision $1."""
    born = next(column for column in _BORN if column in table.columns)
    columns = ", ".join(_column_sql(column) for column in table.columns)
    return f"SELECT {columns} FROM {schema}.{table.name} WHERE {born} <= $1"  # noqa: S608 - our own schema


def _column_sql(column: str) -> str:
    if column == "to_revision":
        return f"CASE WHEN to_revision > $1 THEN {OPEN} ELSE to_revision END AS to_revision"
    return column
