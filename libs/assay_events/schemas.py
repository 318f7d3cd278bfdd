"""Makes, compares and swaps the schemas of a projection.

No migrations: another schema means a rebuild.
"""

import asyncpg

from assay_events.projection import Projection
from assay_events.tables import MACHINERY

INSERT_POSITION = "INSERT INTO position VALUES (true, 0, 'epoch', $1)"
EXISTS = "SELECT to_regclass($1) IS NOT NULL"


async def connect(dsn: str, schema: str) -> asyncpg.Connection:
    """Return a connection whose names mean the tables of `schema`."""
    db = await asyncpg.connect(dsn, server_settings={"search_path": schema}, timeout=5)
    await prepare_connection(db)
    return db


async def prepare_connection(db: asyncpg.Connection) -> None:
    """Let jsonb columns take and give JSON text, also in COPY."""
    await db.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda text: b"\x01" + text.encode(),
        decoder=lambda data: data[1:].decode(),
        format="binary",
    )


async def exists(db: asyncpg.Connection, schema: str) -> bool:
    """Return whether a schema holds a read model."""
    found: bool = await db.fetchval(EXISTS, f"{schema}.position")
    return found


async def create(db: asyncpg.Connection, projection: Projection, schema: str) -> None:
    """Make an empty read model, without its indexes; what was half made before is dropped."""
    await db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await db.execute(f"CREATE SCHEMA {schema}")
    await db.execute(MACHINERY)
    await db.execute(projection.tables_sql)
    await db.execute(INSERT_POSITION, projection.schema_digest)


async def create_indexes(db: asyncpg.Connection, projection: Projection) -> None:
    """Make the indexes of a loaded read model."""
    if projection.indexes_sql.strip():  # asyncpg fails on a query that is empty
        await db.execute(projection.indexes_sql)


async def grant(db: asyncpg.Connection, schema: str, role: str) -> None:
    """Let a runtime role read and append.

    Only the machinery's and temporal tables may be updated.
    """
    await db.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    await db.execute(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    for record in await db.fetch(UPDATABLE, schema):
        await db.execute(f"GRANT UPDATE ON {schema}.{record['name']} TO {role}")


UPDATABLE = """
SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'r' AND (c.relname IN ('position', 'head') OR EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'to_revision'))
"""


async def hold(db: asyncpg.Connection, live: str, lock_seconds: float = 0.2) -> None:
    """Let nobody move the position of `live` until the transaction ends, nor go on from there.

    Who waits to write it finds it gone.
    """
    await db.execute(f"SET LOCAL lock_timeout = '{int(lock_seconds * 1000)}ms'")
    if await exists(db, live):
        await db.execute(f"DELETE FROM {live}.position")  # noqa: S608 - our own schema


async def swap(db: asyncpg.Connection, green: str, live: str) -> None:
    """Let `green` serve as `live` once the transaction ends; what served stays as `<live>_old`."""
    if await exists(db, live):
        await db.execute(f"DROP SCHEMA IF EXISTS {live}_old CASCADE")
        await db.execute(f"ALTER SCHEMA {live} RENAME TO {live}_old")
    await db.execute(f"ALTER SCHEMA {green} RENAME TO {live}")
