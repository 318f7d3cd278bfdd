"""The tables of a projection, as Postgres knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from assay_events.projection import OPEN, Row

MACHINERY = """
CREATE TABLE position (
    is_only boolean PRIMARY KEY,
    revision bigint NOT NULL,
    stream_time timestamptz NOT NULL,
    schema_digest text NOT NULL
);
CREATE TABLE moment (revision bigint PRIMARY KEY, stream_time timestamptz NOT NULL);
CREATE INDEX moment_by_time ON moment (stream_time, revision);
CREATE TABLE head (subject text PRIMARY KEY, digest bytea NOT NULL, revision bigint NOT NULL);
"""
MACHINERY_TABLES = frozenset({"position", "moment", "head"})

SELECT_COLUMNS = """
SELECT c.relname AS table_name, a.attname AS column_name, format_type(a.atttypid, NULL) AS type,
       a.attnum = ANY (coalesce(i.indkey::int[], '{}')) AS is_key
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE n.nspname = $1 AND c.relkind = 'r'
ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns with their types, and the columns that tell a row."""

    name: str
    columns: tuple[str, ...]
    types: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def is_temporal(self) -> bool:
        """Whether its rows hold over an interval of revisions."""
        return "to_revision" in self.types

    def key_of(self, row: Row) -> tuple[object, ...]:
        """Return the values that tell `row` from others, without the revision."""
        return tuple(map(row.__getitem__, self.key))

    def values(self, row: Row) -> tuple[object, ...]:
        """Return the values of `row` in the order of the columns."""
        return tuple(map(row.__getitem__, self.columns))

    def keys_sql(self, first: int, *more: str) -> str:
        """Return a derived table `k` of keys, one array parameter a column, from `$first` on.

        `more` are columns of it that follow, each "name type", with parameters that follow too.
        """
        columns = [(column, self.types[column]) for column in self.key]
        columns += [(name, type_) for name, _, type_ in (text.partition(" ") for text in more)]
        arrays = ", ".join(
            f"${number}::{type_}[]" for number, (_, type_) in enumerate(columns, first)
        )
        return f"unnest({arrays}) AS k({', '.join(name for name, _ in columns)})"

    def newest_sql(self) -> str:
        """Return a derived table `newest`: where the newest row of each key of `k` begins.

        It is the end of a range of the primary key, however long the history of a key is.
        """
        same = " AND ".join(f"n.{column} = k.{column}" for column in self.key)
        return (
            f"CROSS JOIN LATERAL (SELECT n.from_revision FROM {self.name} n WHERE {same}"  # noqa: S608 - our own names
            " ORDER BY n.from_revision DESC LIMIT 1) AS newest"
        )

    def newest_open_sql(self) -> str:
        """Return the condition that `t` is that newest row, and still holds."""
        same = " AND ".join(f"t.{column} = k.{column}" for column in self.key)
        return f"{same} AND t.from_revision = newest.from_revision AND t.to_revision = {OPEN}"

    def key_columns(self, keys: Sequence[tuple[object, ...]]) -> list[list[object]]:
        """Return the arguments for `keys_sql`, a list a column."""
        return [[key[place] for key in keys] for place in range(len(self.key))]


async def load_tables(db: asyncpg.Connection, schema: str) -> dict[str, Table]:
    """Return the projection's own tables in a schema."""
    found: dict[str, list[asyncpg.Record]] = {}
    for record in await db.fetch(SELECT_COLUMNS, schema):
        found.setdefault(record["table_name"], []).append(record)
    return {
        name: _table(name, rows) for name, rows in found.items() if name not in MACHINERY_TABLES
    }


def _table(name: str, records: list[asyncpg.Record]) -> Table:
    return Table(
        name=name,
        columns=tuple(r["column_name"] for r in records),
        types={r["column_name"]: r["type"] for r in records},
        key=tuple(
            r["column_name"] for r in records if r["is_key"] and r["column_name"] != "from_revision"
        ),
    )
