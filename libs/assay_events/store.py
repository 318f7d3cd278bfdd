"""The event store, as the rest of Assay sees it.

Append to a subject, read a subject, read everything.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from assay_events.envelope import NewMessage, Stored


class EventStore(Protocol):
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

    async def last_revision(self) -> int:
        """Return the revision of the stream's newest message, 0 for none."""
        ...

    def read(self, after: int, *, follow: bool) -> AsyncIterator[Sequence[Stored]]:
        """Yield all messages after a revision in order, in batches; with `follow` go on for ever.

        A batch is empty when nothing came for a while. Raise StreamCorrupt on a gap.
        """
        ...
