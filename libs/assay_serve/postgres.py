"""Reads: a pool of connections, and snapshots that are as fresh and as old as a query asks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg

from assay.type.v1.moment_pb2 import Moment
from assay_events import token
from assay_events.errors import ProjectionBehind, Unavailable
from assay_events.position import Position
from assay_events.store import EventStore
from assay_serve.call import Context, time_left
from assay_serve.refusals import bad_moment

SELECT_REVISION = "SELECT revision FROM position"
SELECT_POSITION = "SELECT revision, stream_time FROM position"
SELECT_REVISION_AT = "SELECT max(revision) FROM moment WHERE stream_time <= $1"
_POOL_SIZE = 10
_CONNECT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.02
_UNBUILT = "The read model is not built yet."

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
LATEST = Moment()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent view: ask `db` for the rows that hold at `revision`."""

    db: Connection
    revision: int
    token: str


async def open_pool(dsn: str, schema: str, position: Position | None = None) -> Pool:
    """Return a pool that connects when it is first asked; names mean the tables of `schema`.

    Values of jsonb come as Python values. Postgres may be away, now and later. No connection of
    the pool is behind `position`, ever: one to a Postgres that has lost commits in a crash is not
    made, one from before a crash is broken, and a rebuild takes no step backwards.
    """
    known = position or Position()

    async def set_up(db: "asyncpg.Connection[asyncpg.Record]") -> None:
        await db.set_type_codec(
            "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
        )
        await _check_level(db, known.revision)

    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=_POOL_SIZE,
        timeout=_CONNECT_SECONDS,
        init=set_up,
        reset=_leave,
        server_settings={"search_path": schema, "application_name": f"assay {schema}"},
    )


class Reads:
    """Gives snapshots of one read model, whose progress `position` tells."""

    def __init__(self, pool: Pool, position: Position, store: EventStore) -> None:
        self._pool = pool
        self._position = position
        self._store = store
        self._beginning: datetime | None = None

    @asynccontextmanager
    async def at(
        self, at_least_as_fresh: str, moment: Moment = LATEST, context: Context = None
    ) -> AsyncIterator[Snapshot]:
        """Yield a snapshot not older than a token, to be read at `moment`, by default the latest.

        Waits for the read model until shortly before the deadline, then raises ProjectionBehind.
        """
        until = time.monotonic() + _patience(context)
        wanted = token.decode(at_least_as_fresh)
        await self._position.wait_for(wanted, until - time.monotonic())
        async with self._connection(until) as db:
            wanted = max(wanted, await self._reach(db, moment))
            while True:
                await self._position.wait_for(wanted, until - time.monotonic())
                async with db.transaction(isolation="repeatable_read", readonly=True):
                    position = await _revision(db)
                    if position >= wanted:
                        revision = await self._revision_at(db, position, moment)
                        yield Snapshot(db, revision, token.encode(position))
                        return
                # A rebuild has just swapped the tables; this snapshot is of the moment before.
                if time.monotonic() > until:
                    raise ProjectionBehind(position, wanted)
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    @asynccontextmanager
    async def by_revision(
        self, at_least_as_fresh: str, moment: Moment = LATEST, context: Context = None
    ) -> AsyncIterator[Snapshot]:
        """Yield a snapshot for queries that each name its revision, as cheaply as can be.

        What holds at a revision never changes, so no transaction has to hold it still; and where
        the read model is kept by this process, its revision need not be asked for.
        """
        if moment.WhichOneof("point") or not self._position.is_kept_here:
            async with self.at(at_least_as_fresh, moment, context) as snapshot:
                yield snapshot
            return
        until = time.monotonic() + _patience(context)
        wanted = token.decode(at_least_as_fresh)
        await self._position.wait_for(wanted, until - time.monotonic())
        async with self._connection(until) as db:
            revision = self._position.revision
            yield Snapshot(db, revision, token.encode(revision))

    async def close(self) -> None:
        """Close the connections."""
        self._pool.terminate()

    @asynccontextmanager
    async def _connection(self, until: float) -> AsyncIterator[Connection]:
        try:
            db = await self._pool.acquire(timeout=max(until - time.monotonic(), 0.001))
        except _AWAY as error:
            raise Unavailable("The database of the read model does not answer.") from error
        try:
            yield db
        finally:
            await self._pool.release(db)

    async def _reach(self, db: Connection, moment: Moment) -> int:
        """Return the revision that the read model must have reached to answer for `moment`."""
        match moment.WhichOneof("point"):
            case "revision":
                await self._check_revision(db, moment.revision)
                return moment.revision
            case "time":
                at = _time(moment)
                known = await db.fetchrow(SELECT_POSITION)
                if known is None or at >= known["stream_time"]:
                    return await self._store.last_revision()
        return 0

    async def _check_revision(self, db: Connection, revision: int) -> None:
        if revision < 1:
            raise bad_moment("Ask for a revision from 1 on.")
        if revision > await _revision(db):
            last = await self._store.last_revision()
            if revision > last:
                raise bad_moment(f"Ask for a revision up to {last}, which is the newest.")

    async def _revision_at(self, db: Connection, position: int, moment: Moment) -> int:
        match moment.WhichOneof("point"):
            case "revision":
                return moment.revision
            case "time":
                found: int | None = await db.fetchval(SELECT_REVISION_AT, _time(moment))
                if found is None:
                    await self._check_begun(_time(moment))
                return found or 0
        return position

    async def _check_begun(self, at: datetime) -> None:
        """Refuse a time before the first event of the stream: nothing can be said of it."""
        if self._beginning is None:
            async for batch in self._store.read(0, follow=False):
                if batch:
                    self._beginning = batch[0].stream_time
                    break
        if self._beginning is None or at < self._beginning:
            raise bad_moment("Ask for a time after the log was founded.")


_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidCatalogNameError,
)


def _patience(context: Context) -> float:
    """Return how long a call may wait for the read model, and still say that it gave up."""
    if context is None:
        return _LONGEST_WAIT_SECONDS
    left = min(time_left(context), _LONGEST_WAIT_SECONDS)
    return left - min(0.1, left / 10)


def _time(moment: Moment) -> datetime:
    try:
        at = moment.time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise bad_moment("Ask for a time between the years 1 and 9999.") from error
    if at > datetime.now(UTC):
        raise bad_moment("Ask for a time that has passed.")
    return at


async def _revision(db: Connection) -> int:
    try:
        revision: int | None = await db.fetchval(SELECT_REVISION)
    except asyncpg.UndefinedTableError as error:
        raise Unavailable(_UNBUILT) from error
    if revision is None:
        raise Unavailable(_UNBUILT)
    return revision


async def _check_level(db: "asyncpg.Connection[asyncpg.Record]", wanted: int) -> None:
    """Refuse a database that is behind what it had committed before."""
    try:
        revision: int | None = await db.fetchval(SELECT_REVISION) if wanted else None
    except asyncpg.UndefinedTableError:
        return  # who reads is told
    if revision is not None and revision < wanted:
        raise Unavailable("The read model catches up after a crash of its database. Try again.")


async def _leave(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Leave a returned connection as it is: a snapshot changes no setting."""
