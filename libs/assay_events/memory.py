"""An event store in memory, for tests: it passes the same contract suite as JetStream."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from assay_events.envelope import NewMessage, Stored, context_of
from assay_events.errors import LostRace

_BATCH = 1000
_IDLE_SECONDS = 1.0


class MemoryStore:
    """All messages in one list; the revision is the place in it, from 1."""

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self.messages: list[Stored] = []
        self._grown = asyncio.Event()

    async def append(self, nats_subject: str, messages: Sequence[NewMessage], expected: int) -> int:
        """Append all of `messages` or none; return the revision of the last."""
        before = await self.read_subject(nats_subject)
        if [stored.body for stored in before[-len(messages) :]] == [m.body for m in messages]:
            return before[-1].revision
        last = before[-1].revision if before else 0
        if last != expected:
            raise LostRace(last)
        for message in messages:
            self._store(nats_subject, message.type, message.body)
        return len(self.messages)

    def store_raw(self, nats_subject: str, type_: str, body: bytes) -> int:
        """Put any bytes on the stream, as a broken or hostile writer could; return the revision."""
        self._store(nats_subject, type_, body)
        return len(self.messages)

    async def last(self, nats_subject: str) -> Stored | None:
        """Return the newest message of a subject."""
        found = await self.read_subject(nats_subject)
        return found[-1] if found else None

    async def read_subject(self, nats_subject: str, after: int = 0) -> Sequence[Stored]:
        """Return the messages of a subject after a revision, oldest first."""
        return [m for m in self.messages[after:] if m.nats_subject == nats_subject]

    async def read_one(self, nats_subject: str, revision: int) -> Stored | None:
        """Return the first message of a subject from a revision on."""
        return next(iter(await self.read_subject(nats_subject, revision - 1)), None)

    async def last_revision(self) -> int:
        """Return the revision of the newest message."""
        return len(self.messages)

    async def next_revision(self, after: int, contexts: frozenset[str]) -> int:
        """Return the revision of the next message of some contexts after a revision, 0 for none."""
        found = (
            m.revision for m in self.messages[after:] if context_of(m.nats_subject) in contexts
        )
        return next(found, 0)

    async def read(
        self,
        after: int,
        *,
        follow: bool,
        contexts: frozenset[str] | None = None,
        wake: asyncio.Event | None = None,
    ) -> AsyncIterator[Sequence[Stored]]:
        """Yield the messages after a revision in order, in batches, as the store promises."""
        position, end = after, len(self.messages)
        while follow or position < end:
            batch = self.messages[position : position + _BATCH]
            if not batch:
                await self._wait(wake or asyncio.Event())
            position += len(batch)
            yield [m for m in batch if contexts is None or context_of(m.nats_subject) in contexts]

    def _store(self, nats_subject: str, type_: str, body: bytes) -> None:
        revision = len(self.messages) + 1
        self.messages.append(Stored(nats_subject, type_, body, revision, datetime.now(UTC)))
        self._grown.set()
        self._grown = asyncio.Event()

    async def _wait(self, wake: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._grown, wake)]
        await asyncio.wait(waits, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for waiting in waits:
            waiting.cancel()
        wake.clear()
