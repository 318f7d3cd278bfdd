"""Reactions: an event of any context becomes a command of one's own service.

Exactly once in effect.

Each event is acted on at least once, in order, from a stored position; the command's request id
follows from the
event's id, so that a second time finds its outcome recorded.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
from google.protobuf.message import Message

from assay_events import codec, ids
from assay_events.envelope import Recorded, Stored
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.store import EventStore

log = logging.getLogger("assay.reactions")

CREATE = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.position (reaction text PRIMARY KEY, revision bigint NOT NULL);
"""
SELECT = "SELECT revision FROM {schema}.position WHERE reaction = $1"
UPSERT = """
INSERT INTO {schema}.position VALUES ($1, $2)
ON CONFLICT (reaction) DO UPDATE SET revision = greatest(position.revision, excluded.revision)
"""
_SAVE_EVERY = 1000  # revisions, whose events are read again at little cost
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a service does when something happened elsewhere.

    `act` must be idempotent by `request_id`.
    """

    name: str
    on: tuple[type[Message], ...]
    act: Callable[[Recorded], Awaitable[None]]

    def request_id(self, cause: Recorded) -> str:
        """Return the id of the request that answers `cause`."""
        return ids.reaction_id(cause.envelope.id, self.name)

    @property
    def types(self) -> frozenset[str]:
        """Full names of the event types that it acts on."""
        return frozenset(event.DESCRIPTOR.full_name for event in self.on)

    @property
    def contexts(self) -> frozenset[str]:
        """Contexts whose events it must hear."""
        return frozenset(name.split(".")[1] for name in self.types)


class Reactor:
    """Runs one reaction. Its position is kept beside the read models.

    So a rebuild does not touch it.
    """

    def __init__(self, store: EventStore, dsn: str, service: str, reaction: Reaction) -> None:
        """Keep the position in the schema `<service>_reactions`."""
        self._store = store
        self._dsn = dsn
        self._schema = f"{service}_reactions"
        self._reaction = reaction

    async def run(self) -> None:
        """React for ever; wait for parts that are away."""
        while True:
            try:
                await self._follow()
            except StreamCorrupt:
                raise
            except (
                Unavailable,
                OSError,
                TimeoutError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as failure:
                log.warning("reaction.waits name=%s cause=%r", self._reaction.name, failure)
            await asyncio.sleep(_RETRY_SECONDS[-1])

    async def _follow(self) -> None:
        db = await asyncpg.connect(self._dsn, timeout=5)
        try:
            await self._prepare(db)
            start = await db.fetchval(SELECT.format(schema=self._schema), self._reaction.name)
            saved = start or 0
            contexts = self._reaction.contexts
            async for batch in self._store.read(saved, follow=True, contexts=contexts):
                has_acted = await self._react(batch)
                if has_acted or (batch and batch[-1].revision >= saved + _SAVE_EVERY):
                    saved = batch[-1].revision
                    await db.execute(UPSERT.format(schema=self._schema), self._reaction.name, saved)
        finally:
            await db.close(timeout=2)

    async def _prepare(self, db: asyncpg.Connection) -> None:
        """Make the place of the position; one reaction at a time, since Postgres races here."""
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock(hashtext($1))", self._schema)
            await db.execute(CREATE.format(schema=self._schema))

    async def _react(self, batch: Sequence[Stored]) -> bool:
        """Act on what concerns the reaction; return whether there was such an event."""
        concerned = [stored for stored in batch if stored.type in self._reaction.types]
        for stored in concerned:
            recorded = codec.decode_leniently(stored)
            if recorded.event is not None and isinstance(recorded.event, self._reaction.on):
                await self._act(recorded)
        return bool(concerned)

    async def _act(self, recorded: Recorded) -> None:
        attempt = 0
        while True:
            try:
                return await self._reaction.act(recorded)
            except Unavailable as failure:
                wait = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                log.warning("reaction.retries name=%s cause=%s", self._reaction.name, failure)
                await asyncio.sleep(wait)
                attempt += 1
