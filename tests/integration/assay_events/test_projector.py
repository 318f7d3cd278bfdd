"""Read models follow the stream.

Nothing twice, nothing missing, and a rebuild equals the live tables.
"""

import asyncio
import contextlib
import random
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from assay_events import schemas
from assay_events.commands import Commands
from assay_events.decider import Refusal
from assay_events.envelope import NewMessage
from assay_events.errors import ProjectionBehind, StreamCorrupt
from assay_events.jetstream import JetStream
from assay_events.position import Position
from assay_events.projector import Projector
from assay_events.rebuild import Rebuilder
from assay_events.rows import RowFold
from assay_events.writing import Mark, PositionMoved, Taken, write
from assay_serve.embedded import nats
from tests.integration.assay_events.conftest import DEPLOYMENT, connect
from tests.support.toy import (
    NAME,
    PROJECTION,
    TOY,
    Archive,
    Command,
    Create,
    Register,
    Restore,
    intent,
)

Rows = list[tuple[object, ...]]


def rebuilder(store: JetStream, dsn: str) -> Rebuilder:
    """Return what builds the toy read model."""
    return Rebuilder(store, dsn, PROJECTION, DEPLOYMENT)


def commands(store: JetStream) -> Commands:
    """Return a handler of the toy's commands."""
    return Commands(store, context="metadata", deployment=DEPLOYMENT)


async def write_history(store: JetStream, seed: int, length: int = 40) -> int:
    """Write a random history of a few models; return its last revision."""
    chance, handler, revision = random.Random(seed), commands(store), 1
    names = [f"{NAME}{number}" for number in range(3)]
    script: list[tuple[str, Command]] = [(n, Create(n, chance.randrange(3))) for n in names]
    kinds = (Register(), Register(), Archive(), Restore())
    script += [(chance.choice(names), chance.choice(kinds)) for _ in range(length)]
    for name, command in script:
        with contextlib.suppress(Refusal):
            done = await handler.handle(TOY, name, command, intent())
            revision = max(revision, done.revision)
    return revision


async def follow(store: JetStream, dsn: str, until: int) -> None:
    """Run a projector until it has committed a revision, then kill it."""
    position = Position()
    task = asyncio.create_task(Projector(store, dsn, PROJECTION, DEPLOYMENT, position).run())
    try:
        await position.wait_for(until, 10)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tables(dsn: str) -> dict[str, Rows]:
    """Return all rows of the toy tables."""
    db = await schemas.connect(dsn, "toy")
    try:
        return {
            name: [tuple(r) for r in await db.fetch(f"SELECT * FROM {name} t ORDER BY t")]  # noqa: S608
            for name in ("model", "version", "closed", "moment", "head")
        }
    finally:
        await db.close()


async def test_a_read_model_shows_now_and_every_moment_before(store: JetStream, dsn: str) -> None:
    handler = commands(store)
    await rebuilder(store, dsn).prepare()
    for command in (Create(), Register(), Archive(), Restore()):
        await handler.handle(TOY, NAME, command, intent())
    await follow(store, dsn, await store.last_revision())
    rows = (await tables(dsn))["model"]
    by_revision = sorted(rows, key=lambda row: int(str(row[4])))
    assert [(row[1], row[2], row[4], row[5]) for row in by_revision] == [
        ("ACTIVE", 0, 2, 3),
        ("ACTIVE", 1, 3, 4),
        ("ARCHIVED", 1, 4, 5),
        ("ACTIVE", 1, 5, 2**63 - 1),
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_a_rebuild_equals_the_live_tables(store: JetStream, dsn: str, seed: int) -> None:
    await rebuilder(store, dsn).prepare()
    await follow(store, dsn, await write_history(store, seed, 15))
    await follow(store, dsn, await write_history(store, seed + 100, 15))
    last = await store.last_revision()
    await follow(store, dsn, last)
    live = await tables(dsn)
    assert await rebuilder(store, dsn).check() == []
    assert await rebuilder(store, dsn).rebuild() == last
    assert await tables(dsn) == live


async def test_a_projector_killed_at_any_point_writes_nothing_twice(
    store: JetStream, dsn: str
) -> None:
    await rebuilder(store, dsn).prepare()
    last = await write_history(store, 7, 60)
    for _ in range(12):
        task = asyncio.create_task(Projector(store, dsn, PROJECTION, DEPLOYMENT, Position()).run())
        await asyncio.sleep(random.random() * 0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await follow(store, dsn, last)
    assert await rebuilder(store, dsn).check() == []


async def test_check_names_the_first_altered_missing_and_added_row(
    store: JetStream, dsn: str
) -> None:
    await rebuilder(store, dsn).prepare()
    await follow(store, dsn, await write_history(store, 3))
    db = await asyncpg.connect(dsn)
    await db.execute(
        "UPDATE toy.model SET state = 'FORGED' WHERE name = $1 AND to_revision = $2",
        f"{NAME}1",
        2**63 - 1,
    )
    await db.execute(
        "DELETE FROM toy.version WHERE revision = (SELECT min(revision) FROM toy.version)"
    )
    await db.execute("INSERT INTO toy.closed VALUES ('added', 1, 2)")
    await db.close()
    found = {(d.table, d.only_in) for d in await rebuilder(store, dsn).check()}
    assert found == {
        ("model", "live table"),
        ("model", "rebuild"),
        ("version", "rebuild"),
        ("closed", "live table"),
    }


async def test_a_projector_stops_loudly_when_the_stream_lost_events(
    store: JetStream, dsn: str
) -> None:
    await rebuilder(store, dsn).prepare()
    await follow(store, dsn, await write_history(store, 4, 0))
    db = await schemas.connect(dsn, "toy")
    await db.execute("UPDATE position SET revision = 1000000")
    await db.close()
    said: list[str] = []
    projector = Projector(store, dsn, PROJECTION, DEPLOYMENT, Position(), said.append)
    with pytest.raises(StreamCorrupt):
        await asyncio.wait_for(projector.run(), 10)
    assert "history is missing" in said[-1]


async def test_readers_see_no_error_while_a_rebuild_takes_over(store: JetStream, dsn: str) -> None:
    await rebuilder(store, dsn).prepare()
    last = await write_history(store, 5)
    position = Position()
    task = asyncio.create_task(Projector(store, dsn, PROJECTION, DEPLOYMENT, position).run())
    await position.wait_for(last, 10)
    pool = await asyncpg.create_pool(
        dsn, min_size=1, max_size=1, server_settings={"search_path": "toy"}
    )
    stop, counts = asyncio.Event(), set[int]()

    async def read() -> None:
        while not stop.is_set():
            counts.add(await pool.fetchval("SELECT count(*) FROM version"))

    reading = asyncio.create_task(read())
    for _ in range(3):
        await rebuilder(store, dsn).rebuild()
    stop.set()
    await reading
    assert len(counts) == 1
    done = await commands(store).handle(TOY, f"{NAME}9", Create(f"{NAME}9"), intent())
    await position.wait_for(done.revision, 10)
    assert await rebuilder(store, dsn).check() == []
    await pool.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def write_foreign(bus: nats.Bus) -> int:
    """Write an event of another service; return its revision."""
    connection = await connect(bus, "artifact")
    message = NewMessage("", "assay.artifact.v1.UploadBegun", b"foreign", datetime.now(UTC))
    subject = f"assay.v1.artifact.blob.{uuid4().hex}"
    revision = await JetStream(connection).append(subject, [message], 0)
    await connection.close()
    return revision


async def written(dsn: str) -> int:
    """Return the position that the read model has in Postgres."""
    db = await schemas.connect(dsn, "toy")
    try:
        return int(await db.fetchval("SELECT revision FROM position"))
    finally:
        await db.close()


async def test_a_read_model_passes_over_foreign_events_once_somebody_asks(
    store: JetStream, bus: nats.Bus, dsn: str
) -> None:
    await rebuilder(store, dsn).prepare()
    own, position = await write_history(store, 6, 3), Position()
    task = asyncio.create_task(Projector(store, dsn, PROJECTION, DEPLOYMENT, position).run())
    await position.wait_for(own, 30)
    foreign = await write_foreign(bus)
    assert await written(dsn) == own
    await position.wait_for(foreign, 30)
    assert await written(dsn) == foreign
    with pytest.raises(ProjectionBehind):
        await position.wait_for(foreign + 1, 0.2)
    assert await written(dsn) == foreign
    done = await commands(store).handle(TOY, f"{NAME}9", Create(f"{NAME}9"), intent())
    await position.wait_for(done.revision, 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await rebuilder(store, dsn).check() == []


async def test_a_token_between_own_and_foreign_events_is_answered_in_any_order(
    store: JetStream, bus: nats.Bus, dsn: str
) -> None:
    await rebuilder(store, dsn).prepare()
    position, handler = Position(), commands(store)
    task = asyncio.create_task(Projector(store, dsn, PROJECTION, DEPLOYMENT, position).run())
    waits = list[int]()
    for number in range(10):
        done = await handler.handle(TOY, f"{NAME}{number}", Create(f"{NAME}{number}"), intent())
        waits += [done.revision, await write_foreign(bus)]
    await asyncio.gather(*(position.wait_for(revision, 30) for revision in waits))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await rebuilder(store, dsn).check() == []


async def test_what_goes_on_writing_the_old_tables_after_a_rebuild_is_refused(
    store: JetStream, dsn: str
) -> None:
    await rebuilder(store, dsn).prepare()
    await follow(store, dsn, last := await write_history(store, 8, 10))
    db = await schemas.connect(dsn, "toy")
    held = await schemas.connect(dsn, "toy_green")
    green = rebuilder(store, dsn)
    await schemas.create(held, PROJECTION, "toy_green")
    async with held.transaction():
        await schemas.hold(held, "toy")
        mark = Mark(last + 1, datetime.now(UTC))
        writing = asyncio.create_task(write(db, RowFold({}), Taken(), last, mark))
        await asyncio.sleep(0.1)
        await schemas.swap(held, "toy_green", "toy")
    with pytest.raises(PositionMoved):
        await writing
    await green.rebuild()
    await db.close()
    await held.close()
    assert await green.check() == []
