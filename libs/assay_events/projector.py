"""Keeps one read model level with the stream.

A single owner, its position in the same transaction as its rows.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from zlib import crc32

import asyncpg

from assay_events import schemas
from assay_events.batches import Batches, Mark, PositionMoved, write
from assay_events.envelope import Stored
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.position import Position
from assay_events.projection import Projection
from assay_events.store import EventStore
from assay_events.tables import Table, load_tables

log = logging.getLogger("assay.projector")

SELECT_POSITION = "SELECT revision, stream_time, schema_digest FROM position"
TRY_LOCK = "SELECT pg_try_advisory_lock($1, $2)"
_LOCK_CLASS = 0x0A55A7
_RETRY_SECONDS = 1.0
_UNWRITABLE = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
_AWAY = (OSError, TimeoutError, Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError)


class Projector:
    """Follows the stream into the schema of one projection."""

    def __init__(
        self,
        store: EventStore,
        dsn: str,
        projection: Projection,
        deployment: str,
        position: Position,
        on_health: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Write as the role of `dsn`.

        Tell `position` what is committed, and `on_health` what is wrong ("" = nothing).
        """
        self._store = store
        self._dsn = dsn
        self._projection = projection
        self._batches = Batches(projection, deployment)
        self._position = position
        self._on_health = on_health

    async def run(self) -> None:
        """Follow for ever. Parts that are away are waited for.

        A corrupt stream stops it, loudly.
        """
        while True:
            try:
                await self._follow()
            except PositionMoved:
                log.info("projection.moved name=%s", self._projection.name)
            except StreamCorrupt as fault:
                self._stop(fault.message)
                raise
            except _UNWRITABLE as fault:
                self._stop(f"an event cannot be written: {fault}")
                raise StreamCorrupt(f"An event cannot be written: {fault}") from fault
            except _AWAY as failure:
                log.warning("projection.waits name=%s cause=%r", self._projection.name, failure)
                self._on_health("The read model waits for the event store or Postgres.")
            await asyncio.sleep(_RETRY_SECONDS)

    def _stop(self, cause: str) -> None:
        log.critical("projection.stopped name=%s cause=%s", self._projection.name, cause)
        self._on_health(f"The read model stopped: {cause}")

    async def follow_until(self, db: asyncpg.Connection, revision: int) -> None:
        """Read up to a revision on a given connection, then return."""
        tables, mark = await self._start(db)
        if mark.revision >= revision:
            return
        async for batch in self._store.read(mark.revision, follow=True):
            wanted = [stored for stored in batch if stored.revision <= revision]
            await self._write(db, tables, wanted, mark)
            if mark.revision >= revision:
                return

    async def _follow(self) -> None:
        db = await schemas.connect(self._dsn, self._projection.name)
        try:
            # Rows and position are lost or kept together, and the stream has what is lost.
            await db.execute("SET synchronous_commit = off")
            await self._own(db)
            tables, mark = await self._start(db)
            self._on_health("")
            async for batch in self._store.read(mark.revision, follow=True):
                await self._write(db, tables, batch, mark)
                self._position.advance(mark.revision)
        finally:
            await db.close(timeout=2)

    async def _own(self, db: asyncpg.Connection) -> None:
        """Wait until no other process writes this read model."""
        key = crc32(self._projection.name.encode()) - 2**31
        while not await db.fetchval(TRY_LOCK, _LOCK_CLASS, key):
            record = await db.fetchrow(SELECT_POSITION)
            self._position.advance(record["revision"] if record else 0)
            self._on_health("")  # another process writes; this one can be read from
            await asyncio.sleep(_RETRY_SECONDS)

    async def _start(self, db: asyncpg.Connection) -> tuple[dict[str, Table], Mark]:
        self._batches.forget()
        record = await db.fetchrow(SELECT_POSITION)
        if record is None:
            raise Unavailable(f"The read model {self._projection.name} is not prepared yet.")
        schema: str = await db.fetchval("SELECT current_schema()")
        self._position.advance(record["revision"])
        return await load_tables(db, schema), Mark(record["revision"], record["stream_time"])

    async def _write(
        self, db: asyncpg.Connection, tables: dict[str, Table], batch: Sequence[Stored], mark: Mark
    ) -> None:
        if not batch:
            if db.is_closed():
                raise Unavailable("Postgres has closed the connection.")
            return
        before = mark.revision
        await self._batches.fetch_heads(db, self._batches.concerned(batch))
        taken = self._batches.take(batch, mark)
        await write(db, tables, taken, before, mark)
        self._batches.trim()
