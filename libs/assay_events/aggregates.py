"""Folded aggregates kept in memory: correctness never rests on them, only speed."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic

from assay_events.decider import Decider, Event, State
from assay_events.envelope import NewMessage, Recorded, Stored
from assay_events.fold import Folded, take
from assay_events.store import EventStore


@dataclass(slots=True)
class Entry(Generic[State]):
    """One aggregate in memory, and the lock that keeps its commands in line."""

    nats_subject: str
    folded: Folded[State]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_loaded: bool = False
    is_fresh: bool = False  # read from the stream since its user took it
    users: int = 0
    weight: int = 0

    def snapshot(self) -> Folded[State]:
        """Return the aggregate as it is now; later commands do not change its state or revision."""
        return self.folded.snapshot()

    def take_appended(
        self,
        decider: Decider[Any, State, Event],
        messages: Sequence[NewMessage],
        last_revision: int,
        deployment: str,
    ) -> tuple[Recorded, ...]:
        """Fold in what was just appended; return it as recorded."""
        first = last_revision - len(messages) + 1
        taken = [
            take(self.folded, decider, _as_stored(self.nats_subject, message, revision), deployment)
            for revision, message in enumerate(messages, first)
        ]
        return tuple(recorded for recorded in taken if recorded is not None)


class Aggregates:
    """The aggregates used last, by the number of their events."""

    def __init__(self, store: EventStore, deployment: str, capacity: int) -> None:
        """Keep aggregates of at most `capacity` events together."""
        self._store = store
        self._deployment = deployment
        self._capacity = capacity
        self._entries: OrderedDict[str, Entry[Any]] = OrderedDict()
        self._weight = 0

    @asynccontextmanager
    async def locked(
        self, decider: Decider[Any, State, Event], name: str
    ) -> AsyncIterator[Entry[State]]:
        """Give the aggregate called `name`, loaded, to one user at a time."""
        entry = self._entry(decider, name)
        entry.users += 1
        try:
            async with entry.lock:
                entry.is_fresh = False
                if not entry.is_loaded:
                    await self.catch_up(decider, entry)
                yield entry
        finally:
            entry.users -= 1
            self._weigh(entry)
            self._evict()

    async def catch_up(self, decider: Decider[Any, State, Event], entry: Entry[State]) -> None:
        """Fold in what the stream has beyond the cached revision."""
        after = entry.folded.revision
        for stored in await self._store.read_subject(entry.nats_subject, after):
            take(entry.folded, decider, stored, self._deployment)
        entry.is_loaded = entry.is_fresh = True

    async def refresh(self, decider: Decider[Any, State, Event], entry: Entry[State]) -> None:
        """Catch up where the stream has more than the cache."""
        if await self.is_stale(entry):
            await self.catch_up(decider, entry)

    async def is_stale(self, entry: Entry[State]) -> bool:
        """Return whether the subject's newest message is another than the cached one.

        What was read since the request came is as new as the request may ask.
        """
        if entry.is_fresh:
            return False
        last = await self._store.last(entry.nats_subject)
        return last is not None and last.revision != entry.folded.revision

    def _entry(self, decider: Decider[Any, State, Event], name: str) -> Entry[State]:
        nats_subject = decider.subject(name)
        entry = self._entries.get(nats_subject)
        if entry is None:
            entry = self._entries[nats_subject] = Entry(nats_subject, Folded(decider.initial))
        self._entries.move_to_end(nats_subject)
        return entry

    def _weigh(self, entry: Entry[State]) -> None:
        weight = entry.folded.event_count + 1
        self._weight += weight - entry.weight
        entry.weight = weight

    def _evict(self) -> None:
        """Forget the aggregates unused for longest until the rest fit; one in use stays."""
        if self._weight <= self._capacity:
            return
        for nats_subject, entry in list(self._entries.items()):
            if entry.users == 0:
                del self._entries[nats_subject]
                self._weight -= entry.weight
            if self._weight <= self._capacity:
                return


def _as_stored(nats_subject: str, message: NewMessage, revision: int) -> Stored:
    return Stored(nats_subject, message.type, message.body, revision, message.time)
