"""Builds a read model again from the stream beside the one that serves, and compares the two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg

from assay_events import schemas
from assay_events.batches import Batches
from assay_events.differences import Difference, first_differences
from assay_events.errors import StreamCorrupt
from assay_events.position import Position
from assay_events.projection import Projection
from assay_events.projector import Projector
from assay_events.rows import RowFold, TableChanges
from assay_events.store import EventStore
from assay_events.tables import load_tables
from assay_events.writing import Mark, Taken, move_and_note, write_table

_CHUNK_ROWS = 20_000
_SWAP_ATTEMPTS = 20
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilder:
    """Rebuilds one projection.

    `dsn` is the role that owns its schemas, `grant_to` the one that runs it, if another.
    """

    store: EventStore
    dsn: str
    projection: Projection
    deployment: str
    grant_to: str = ""

    async def rebuild(self, progress: Progress = lambda *_: None) -> int:
        """Build, catch up, and let the new tables serve; return the revision that they reached."""
        green = f"{self.projection.name}_green"
        db = await schemas.connect(self.dsn, green)
        try:
            await self._build(db, green, progress)
            await self._catch_up(db)
            return await self._swap(db, green)
        finally:
            await db.close(timeout=5)

    async def check(self, progress: Progress = lambda *_: None) -> list[Difference]:
        """Return the first differing rows between the live tables and a fresh rebuild.

        Empty when they are equal.
        """
        shadow = f"{self.projection.name}_check"
        db = await schemas.connect(self.dsn, shadow)
        try:
            if not await schemas.exists(db, self.projection.name):
                raise StreamCorrupt(f"There is no read model {self.projection.name} to check.")
            await self._build(db, shadow, progress)
            return await first_differences(db, self.projection.name, shadow)
        finally:
            await db.execute(f"DROP SCHEMA IF EXISTS {shadow} CASCADE")
            await db.close(timeout=5)

    async def prepare(self) -> bool:
        """Make the read model where it is missing.

        Return whether it should be rebuilt, its schema being another.
        """
        db = await schemas.connect(self.dsn, self.projection.name)
        try:
            if not await schemas.exists(db, self.projection.name):
                await self._create_empty(db)
            digest = await db.fetchval("SELECT schema_digest FROM position")
            return bool(digest != self.projection.schema_digest)
        finally:
            await db.close(timeout=5)

    async def _create_empty(self, db: asyncpg.Connection) -> None:
        async with db.transaction():
            await schemas.create(db, self.projection, self.projection.name)
            await schemas.create_indexes(db, self.projection)
            await self._grant(db, self.projection.name)

    async def _build(self, db: asyncpg.Connection, schema: str, progress: Progress) -> None:
        """Fold all that is recorded now in memory, copy it, then make the indexes."""
        await schemas.create(db, self.projection, schema)
        await db.execute("SET synchronous_commit = off")
        end = await self.store.last_revision()
        tables = await load_tables(db, schema)
        fold = RowFold(tables, is_whole=True)
        batches = Batches(self.projection, self.deployment)
        taken, mark = Taken(), Mark(0, datetime.fromtimestamp(0, UTC))
        contexts = self.projection.contexts
        async for batch in self.store.read(0, follow=False, contexts=contexts):
            if not batch:
                continue
            batches.take(batch, mark, taken)
            for revision, write in taken.writes:
                fold.apply(write, revision)
            taken.writes.clear()
            if fold.finished_count >= _CHUNK_ROWS:
                await _copy(db, fold.take_finished())
                await _copy_moments(db, taken)
            progress(mark.revision, end)
        mark.revision = max(mark.revision, end)
        await _copy(db, fold.take_changes())
        await move_and_note(db, taken, 0, mark)
        await schemas.create_indexes(db, self.projection)
        await db.execute("SET synchronous_commit = on")
        await _analyse(db, tables)
        await self._grant(db, schema)

    async def _catch_up(self, db: asyncpg.Connection) -> int:
        """Bring the new tables level with the stream as it is now."""
        end = await self.store.last_revision()
        projector = Projector(
            self.store, self.dsn, self.projection, self.deployment, position := Position()
        )
        await projector.follow_until(db, end)
        return max(end, position.revision)

    async def _swap(self, db: asyncpg.Connection, green: str) -> int:
        """Swap while nobody writes the old tables, so that readers never see a step backwards."""
        attempt = 0
        while True:
            attempt += 1
            try:
                async with db.transaction():
                    await schemas.hold(db, self.projection.name)
                    reached = await self._catch_up(db)
                    await schemas.swap(db, green, self.projection.name)
                    return reached
            except asyncpg.LockNotAvailableError:
                if attempt == _SWAP_ATTEMPTS:
                    raise

    async def _grant(self, db: asyncpg.Connection, schema: str) -> None:
        if self.grant_to:
            await schemas.grant(db, schema, self.grant_to)


async def _copy(db: asyncpg.Connection, changes: Sequence[TableChanges]) -> None:
    for table in changes:
        await write_table(db, table)


async def _copy_moments(db: asyncpg.Connection, taken: Taken) -> None:
    await db.copy_records_to_table("moment", records=taken.moments)
    taken.moments.clear()


async def _analyse(db: asyncpg.Connection, tables: Mapping[str, object]) -> None:
    for name in tables:
        # What is all visible is read from indexes alone.
        await db.execute(f"VACUUM (ANALYZE) {name}")
