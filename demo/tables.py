"""Looks at and drops the tables of a stack, as the administrator of its Postgres."""

import json
from hashlib import sha256
from pathlib import Path

import asyncpg

SELECT_TABLES = """
SELECT schemaname || '.' || tablename FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'public')
  AND schemaname !~ '_(reactions|old|green|check)$' AND tablename <> 'position'
ORDER BY 1
"""
SELECT_SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
"""


async def digests(data: Path) -> dict[str, tuple[int, str]]:
    """Return the number of rows and the digest of each table of each service."""
    found: dict[str, tuple[int, str]] = {}
    for service, url in _urls(data).items():
        db = await asyncpg.connect(url)
        for (table,) in await db.fetch(SELECT_TABLES):
            rows = await db.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")  # noqa: S608 - our own
            text = "\n".join(record[0] for record in rows)
            found[f"{service}/{table}"] = (len(rows), sha256(text.encode()).hexdigest())
        await db.close()
    return found


async def drop_all(data: Path) -> list[str]:
    """Drop every schema of every service; return the services."""
    for url in _urls(data).values():
        db = await asyncpg.connect(url)
        for (schema,) in await db.fetch(SELECT_SCHEMAS):
            await db.execute(f'DROP SCHEMA "{schema}" CASCADE')
        await db.close()
    return list(_urls(data))


def _urls(data: Path) -> dict[str, str]:
    """Return the administrator's address of each service's database."""
    secrets = json.loads((data / "secrets.json").read_text())
    address = json.loads((data / "endpoints.json").read_text())["postgres"]
    services = ("metadata", "artifact", "lineage", "approval", "audit")
    password = secrets["postgres"]["postgres"]
    return {s: f"postgresql://postgres:{password}@{address}/{s}" for s in services}
