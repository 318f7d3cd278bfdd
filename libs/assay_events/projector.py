"""Keeps one read model level with the stream.

A single owner, its position in the same transaction as its rows.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import asyncpg

from assay_events import schemas
from assay_events.batches import Batches
from assay_events.envelope import Stored
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.position import Position
from assay_events.projection import Projection
from assay_events.rows import RowFold
from assay_events.store import EventStore
from assay_events.tables import load_tables
from assay_events.writing import Mark, PositionMoved, Taken, write

log = logging.getLogger("assay.projector")

SELECT_POSITION = "SELECT revision, stream_time, schema_digest FROM position"
TRY_LOCK = "SELECT pg_try_advisory_lock($1, $2)"
_LOCK_CLASS = 0x0A55A7
_RETRY_SECONDS = 1.0
_MOST_UNWRITTEN = 1000  # subjects whose last event is noted but is of no concern otherwise
# Plans are made once and kept: by index, as they are best when the tables have grown.
_SETTINGS = """
SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off
"""
_UNWRITABLE = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
_AWAY = (
    OSError,
    TimeoutError,
    Unavailable,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


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
        """Write what the stream has up to a revision, on a given connection, then return."""
        model = await self._start(db)
        if model.mark.revision >= revision:
            return
        async for batch in self._read(model, follow=False):
            await self._take(model, [stored for stored in batch if stored.revision <= revision])
        model.mark.revision = max(model.mark.revision, revision)
        await model.write()

    async def _follow(self) -> None:
        db = await schemas.connect(self._dsn, self._projection.name)
        try:
            # Rows and position are lost or kept together, and the stream has what is lost.
            await db.execute(_SETTINGS)
            await self._own(db)
            model = await self._start(db)
            self._position.is_kept_here = True
            self._on_health("")
            async for batch in self._read(model, follow=True):
                await self._take(model, batch)
                await self._settle(model, is_idle=not batch)
        finally:
            self._position.is_kept_here = False
            await db.close(timeout=2)

    def _read(self, model: "_Model", *, follow: bool) -> AsyncIterator[Sequence[Stored]]:
        return self._store.read(
            model.written,
            follow=follow,
            contexts=self._projection.contexts,
            wake=self._position.wanted,
        )

    async def _take(self, model: "_Model", batch: Sequence[Stored]) -> None:
        """Take in a batch; write it at once where it brings rows."""
        if not batch:
            return
        await self._batches.fetch_heads(model.db, batch)
        self._batches.take(batch, model.mark, model.taken)
        if model.taken.writes or len(model.taken.heads) > _MOST_UNWRITTEN:
            await self._write(model)

    async def _write(self, model: "_Model") -> None:
        await model.write()
        self._batches.trim()

    async def _settle(self, model: "_Model", *, is_idle: bool) -> None:
        """Tell how far the read model is; write what was put off when it is idle or asked for."""
        self._position.advance(model.written)
        if not is_idle:
            return
        if model.db.is_closed():
            raise Unavailable("Postgres has closed the connection.")
        if self._position.is_awaited:
            await self._pass_over(model)
        await self._write(model)
        self._position.advance(model.written)

    async def _pass_over(self, model: "_Model") -> None:
        """Go as far as the stream where all that comes is of no concern (docs/adr/0012)."""
        contexts = self._projection.contexts
        if contexts is None:
            return
        end = await self._store.last_revision()
        if not await self._store.next_revision(model.mark.revision, contexts):
            model.mark.revision = max(model.mark.revision, end)

    async def _own(self, db: asyncpg.Connection) -> None:
        """Wait until no other process writes this read model."""
        key = crc32(self._projection.name.encode()) - 2**31
        while not await db.fetchval(TRY_LOCK, _LOCK_CLASS, key):
            record = await db.fetchrow(SELECT_POSITION)
            self._position.advance(record["revision"] if record else 0)
            self._on_health("")  # another process writes; this one can be read from
            await asyncio.sleep(_RETRY_SECONDS)

    async def _start(self, db: asyncpg.Connection) -> "_Model":
        self._batches.forget()
        record = await db.fetchrow(SELECT_POSITION)
        if record is None:
            raise Unavailable(f"The read model {self._projection.name} is not prepared yet.")
        schema: str = await db.fetchval("SELECT current_schema()")
        self._position.advance(record["revision"])
        mark = Mark(record["revision"], record["stream_time"])
        return _Model(db, RowFold(await load_tables(db, schema)), mark, mark.revision)


@dataclass(slots=True)
class _Model:
    """The read model while it is followed: how far it was read, and how far it is written."""

    db: asyncpg.Connection
    fold: RowFold
    mark: Mark
    written: int
    taken: Taken = field(default_factory=Taken)

    async def write(self) -> None:
        """Write what was taken; a read model that is level already is left alone."""
        if self.mark.revision != self.written:
            await write(self.db, self.fold, self.taken, self.written, self.mark)
            self.taken, self.written = Taken(), self.mark.revision
