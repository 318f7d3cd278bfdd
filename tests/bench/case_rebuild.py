"""A rebuild of a long stream, in one process, against COPY of the very rows that it writes."""

import itertools
import time
from collections.abc import Iterator, Sequence

import asyncpg

from assay_audit.projection import AUDIT
from assay_events import schemas
from assay_events.jetstream import JetStream
from assay_events.projection import Projection
from assay_events.rebuild import Rebuilder
from assay_metadata.projection.rows import METADATA
from assay_serve.embedded import postgres
from tests.bench import history, servers
from tests.bench.harness import Bench, Ratio

EVENTS, QUICK_EVENTS, LONG_EVENTS = 100_000, 20_000, 1_000_000
_CHUNK = 100_000
_CREATE = """
DROP TABLE IF EXISTS copied;
CREATE TABLE copied (LIKE log);
ALTER TABLE copied ADD PRIMARY KEY (revision);
"""


async def run(bench: Bench) -> list[Ratio]:
    """Write the stream, then let rebuilds and copies take turns."""
    events = QUICK_EVENTS if bench.is_quick else LONG_EVENTS if bench.is_long else EVENTS
    folder = bench.scratch("rebuild")
    with postgres.running(folder / "postgres") as database:
        async with servers.founded(folder / "nats") as connection:
            begun = time.monotonic()
            await history.write_models(connection, events)
            bench.say(f"  {events:,} events written in {time.monotonic() - begun:.0f} s")
            return await _compare(bench, JetStream(connection), database, events)


async def _compare(
    bench: Bench, store: JetStream, database: postgres.Database, events: int
) -> list[Ratio]:
    audit = _rebuilder(store, AUDIT, database.owner_url("audit"))
    metadata = _rebuilder(store, METADATA, database.url("metadata"))
    for rebuilder in (audit, metadata):
        await rebuilder.prepare()

    async def rebuild(rebuilder: Rebuilder) -> float:
        begun = time.perf_counter()
        await rebuilder.rebuild()
        return events / (time.perf_counter() - begun)

    await rebuild(audit)
    db = await schemas.connect(database.owner_url("audit"), "audit")
    rows = await db.fetch("SELECT * FROM log ORDER BY revision LIMIT $1", _CHUNK)
    found = await bench.interleave(
        {
            "audit, events/s": lambda: rebuild(audit),
            "metadata, events/s": lambda: rebuild(metadata),
            "COPY, rows/s": lambda: _copy(db, rows, events),
        }
    )
    await db.close()
    copy, size = found["COPY, rows/s"], f"{events:,} events"
    return [
        Ratio(
            f"rebuild of the audit log, {size}",
            found["audit, events/s"],
            "events/s",
            copy,
            "rows/s, COPY of its rows",
            at_least=0.2,
        ),
        Ratio(
            f"rebuild of metadata's read model, {size}",
            found["metadata, events/s"],
            "events/s",
            copy,
            "rows/s, COPY of the audit rows",
        ),
    ]


async def _copy(
    db: "asyncpg.Connection[asyncpg.Record]", rows: Sequence[asyncpg.Record], count: int
) -> float:
    """Copy `count` rows into an empty table with the key of the log; return rows a second."""
    await db.execute(_CREATE)
    await db.execute("SET synchronous_commit = off")
    begun = time.perf_counter()
    await db.copy_records_to_table("copied", records=_repeated(rows, count))
    return count / (time.perf_counter() - begun)


def _repeated(rows: Sequence[asyncpg.Record], count: int) -> Iterator[tuple[object, ...]]:
    """Yield `count` rows, each under a revision of its own."""
    numbered = zip(itertools.count(1), itertools.cycle(rows))
    for revision, row in itertools.islice(numbered, count):
        yield (revision, *row[1:])


def _rebuilder(store: JetStream, projection: Projection, dsn: str) -> Rebuilder:
    return Rebuilder(store, dsn, projection, history.DEPLOYMENT)
