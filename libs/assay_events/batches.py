"""One batch of the stream becomes rows.

Admission, then the projection's writes, then one transaction.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import asyncpg

from assay_events import admission, codec
from assay_events.envelope import Recorded, Stored, context_of
from assay_events.projection import Projection, Write
from assay_events.rows import RowFold
from assay_events.tables import Table

log = logging.getLogger("assay.projector")

SELECT_HEADS = "SELECT subject, digest FROM head WHERE subject = ANY ($1)"
ADVANCE = """
WITH moments AS (
    INSERT INTO moment SELECT * FROM unnest($3::bigint[], $4::timestamptz[])
), heads AS (
    INSERT INTO head SELECT * FROM unnest($5::text[], $6::bytea[], $7::bigint[])
    ON CONFLICT (subject) DO UPDATE SET digest = excluded.digest, revision = excluded.revision
)
UPDATE position SET revision = $2, stream_time = $8 WHERE revision = $1
"""

ADVANCE_ONLY = "UPDATE position SET revision = $2, stream_time = $3 WHERE revision = $1"


class PositionMoved(Exception):
    """The read model is not where this projector left it."""


@dataclass(slots=True)
class Mark:
    """Where a read model stands."""

    revision: int
    stream_time: datetime


@dataclass(slots=True)
class Taken:
    """What a batch brought."""

    writes: list[tuple[int, Write]] = field(default_factory=list)
    moments: list[tuple[int, datetime]] = field(default_factory=list)
    heads: dict[str, tuple[bytes, int]] = field(default_factory=dict)


class Batches:
    """Turns batches into writes; remembers the last valid event of each subject."""

    def __init__(self, projection: Projection, deployment: str) -> None:
        """Begin without knowing any subject."""
        self._projection = projection
        self._deployment = deployment
        self._heads: dict[str, bytes] = {}
        self._contexts = projection.contexts

    def concerned(self, batch: Iterable[Stored]) -> list[Stored]:
        """Return the messages of the contexts that the projection follows."""
        contexts = self._contexts
        if contexts is None:
            return list(batch)
        return [stored for stored in batch if context_of(stored.nats_subject) in contexts]

    async def fetch_heads(self, db: asyncpg.Connection, batch: Iterable[Stored]) -> None:
        """Read the last valid events of subjects that are not in memory."""
        unknown = {s.nats_subject for s in batch} - self._heads.keys()
        if unknown:
            found = await db.fetch(SELECT_HEADS, list(unknown))
            self._heads.update(dict.fromkeys(unknown, b""))
            self._heads.update({record["subject"]: record["digest"] for record in found})

    def take(self, batch: Sequence[Stored], mark: Mark) -> Taken:
        """Return what the messages of a batch write; move `mark` to its end."""
        taken = Taken()
        for stored in self.concerned(batch):
            mark.stream_time = max(mark.stream_time, stored.stream_time)
            self._take_one(stored, mark, taken)
        mark.revision = batch[-1].revision
        return taken

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


async def write(
    db: asyncpg.Connection, tables: Mapping[str, Table], taken: Taken, before: int, mark: Mark
) -> None:
    """Write a batch and its end in one transaction.

    Raise PositionMoved where Postgres is not at `before`.
    """
    if not taken.writes and not taken.heads:
        await _advance_only(db, before, mark)
        return
    fold = RowFold(tables)
    async with db.transaction():
        await fold.fetch_open(db, (write for _, write in taken.writes))
        for revision, write_ in taken.writes:
            fold.apply(write_, revision)
        await fold.flush(db)
        await advance(db, taken, before, mark)


async def _advance_only(db: asyncpg.Connection, before: int, mark: Mark) -> None:
    """Move the position past events of no concern: one statement, so no transaction around it."""
    status: str = await db.execute(ADVANCE_ONLY, before, mark.revision, mark.stream_time)
    if status != "UPDATE 1":
        raise PositionMoved


async def advance(db: asyncpg.Connection, taken: Taken, before: int, mark: Mark) -> None:
    """Move the position from `before` to `mark`, with the moments and heads of the batch."""
    moments = taken.moments
    status: str = await db.execute(
        ADVANCE,
        before,
        mark.revision,
        [revision for revision, _ in moments],
        [time for _, time in moments],
        list(taken.heads),
        [digest for digest, _ in taken.heads.values()],
        [revision for _, revision in taken.heads.values()],
        mark.stream_time,
    )
    if status != "UPDATE 1":
        raise PositionMoved
