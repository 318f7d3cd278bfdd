"""A read model that follows a real stream into a real Postgres while a test asks it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from assay_events.position import Position
from assay_events.projection import Projection
from assay_events.projector import Projector
from assay_events.rebuild import Rebuilder
from assay_events.store import EventStore
from assay_serve.postgres import Reads, open_pool
from tests.support.scribe import DEPLOYMENT


@dataclass(frozen=True, slots=True)
class Following:
    """What follows: what reads it, what rebuilds and checks it, and how far it is."""

    reads: Reads
    rebuilder: Rebuilder
    position: Position
    task: asyncio.Task[None]

    async def reach(self, revision: int) -> None:
        """Wait until the read model has seen a revision."""
        waiting = asyncio.create_task(self.position.wait_for(revision, 10))
        await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if self.task.done():
            self.task.result()
        await waiting


@asynccontextmanager
async def following(
    store: EventStore, projection: Projection, dsn: str, owner_dsn: str = "", role: str = ""
) -> AsyncIterator[Following]:
    """Make the tables anew as their owner, and keep them level with the stream as who serves."""
    rebuilder = Rebuilder(store, owner_dsn or dsn, projection, DEPLOYMENT, role)
    await empty(owner_dsn or dsn)
    await rebuilder.prepare()
    position = Position()
    projector = Projector(store, dsn, projection, DEPLOYMENT, position)
    reads = Reads(await open_pool(dsn, projection.name, position), position, store)
    task = asyncio.create_task(projector.run())
    try:
        yield Following(reads, rebuilder, position, task)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await reads.close()


async def empty(dsn: str) -> None:
    """Take away all that an earlier test left in a database."""
    db = await asyncpg.connect(dsn)
    for (schema,) in await db.fetch(SCHEMAS):
        await db.execute(f'DROP SCHEMA "{schema}" CASCADE')
    await db.close()


SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('public', 'information_schema')
"""
