"""The event store, as the rest of Assay sees it.

Append to a subject, read a subject, read everything.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from assay_events.envelope import NewMessage, Stored


class Progress(Protocol):
    """How far the stream goes, fresh."""

    async def last_revision(self) -> int:
        """Return the revision of the stream's newest message, 0 for none."""
        ...

    async def next_revision(self, after: int, contexts: frozenset[str]) -> int:
        """Return the revision of the next message of some contexts after a revision, 0 for none."""
        ...


class EventStore(Progress, Protocol):
    """One totally ordered stream of messages; a subject is one aggregate.

    Revisions are stream sequences from 1.
    """

    async def append(self, nats_subject: str, messages: Sequence[NewMessage], expected: int) -> int:
        """Append all of `messages` or none; return the revision of the last.

        `expected` is the revision of the subject's last message, 0 for none; raise LostRace where
        it is another.
        Messages that lie there already, byte for byte, as the subject's last count as appended.
        """
        ...

    async def last(self, nats_subject: str) -> Stored | None:
        """Return the newest message of a subject, fresh."""
        ...

    async def read_subject(self, nats_subject: str, after: int = 0) -> Sequence[Stored]:
        """Return the messages of a subject after a revision, oldest first, fresh."""
        ...

    async def read_one(self, nats_subject: str, revision: int) -> Stored | None:
        """Return the first message of a subject from a revision on, fresh, None for none."""
        ...

    def read(
        self,
        after: int,
        *,
        follow: bool,
        contexts: frozenset[str] | None = None,
        wake: asyncio.Event | None = None,
    ) -> AsyncIterator[Sequence[Stored]]:
        """Yield all messages after a revision in order, in batches; with `follow` go on for ever.

        With `contexts` the messages of others are left out. A batch is empty when nothing came for
        a while, or where `wake` was set. Raise StreamCorrupt on a gap that `contexts` do not tell.
        """
        ...
