"""One batch of the stream becomes row writes: admission first, then the projection."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

import asyncpg

from assay_events import admission, codec
from assay_events.envelope import Recorded, Stored, context_of
from assay_events.projection import Projection, Write
from assay_events.writing import Mark, Taken

log = logging.getLogger("assay.projector")

SELECT_HEADS = "SELECT subject, digest FROM head WHERE subject = ANY ($1)"


class Batches:
    """Turns batches into writes; remembers the last valid event of each subject."""

    def __init__(self, projection: Projection, deployment: str) -> None:
        """Begin without knowing any subject."""
        self._projection = projection
        self._deployment = deployment
        self._heads: dict[str, bytes] = {}

    async def fetch_heads(self, db: asyncpg.Connection, batch: Iterable[Stored]) -> None:
        """Read the last valid events of subjects that are not in memory."""
        unknown = {s.nats_subject for s in batch} - self._heads.keys()
        if unknown:
            found = await db.fetch(SELECT_HEADS, list(unknown))
            self._heads.update(dict.fromkeys(unknown, b""))
            self._heads.update({record["subject"]: record["digest"] for record in found})

    def take(self, batch: Sequence[Stored], mark: Mark, taken: Taken) -> None:
        """Add what the messages of a batch write; move `mark` to its end."""
        for stored in batch:
            mark.stream_time = max(mark.stream_time, stored.stream_time)
            self._take_one(stored, mark, taken)
        mark.revision = batch[-1].revision

    def forget(self) -> None:
        """Forget what is in memory, because Postgres may say otherwise."""
        self._heads.clear()

    def trim(self, most: int = 200_000) -> None:
        """Keep memory bounded while running live."""
        if len(self._heads) > most:
            self._heads.clear()

    def _take_one(self, stored: Stored, mark: Mark, taken: Taken) -> None:
        recorded = codec.decode_leniently(stored)
        previous = self._heads.get(stored.nats_subject, b"")
        defect = admission.defect(recorded, previous, self._deployment)
        if not defect:
            digest = admission.digest(stored.body)
            self._heads[stored.nats_subject] = digest
            taken.heads[stored.nats_subject] = (digest, stored.revision)
        writes = self._writes(recorded, defect)
        if writes:
            taken.moments.append((stored.revision, mark.stream_time))
            taken.writes += [(stored.revision, write) for write in writes]

    def _writes(self, recorded: Recorded, defect: str) -> list[Write]:
        projection = self._projection
        if projection.events is None:
            whole = replace(recorded, defect=defect) if defect else recorded
            return list(projection.apply(whole))
        if defect:
            log.warning("event.invalid revision=%d defect=%s", recorded.revision, defect)
            return []
        if recorded.event is None and self._is_own(recorded):
            raise codec.unreadable(recorded)
        if not isinstance(recorded.event, projection.events) or projection.admit(recorded):
            return []
        return list(projection.apply(recorded))

    def _is_own(self, recorded: Recorded) -> bool:
        """Return whether the projection should have understood it.

        Its own context, or a type that it reads.
        """
        names = {event.DESCRIPTOR.full_name for event in self._projection.events or ()}
        own = context_of(recorded.nats_subject) == self._projection.name
        return own or recorded.envelope.type in names
