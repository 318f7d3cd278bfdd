"""Reads by revision: without a transaction, and yet never older than what was promised."""

import pytest

from assay.type.v1.moment_pb2 import Moment
from assay_events import token
from assay_events.commands import Commands
from assay_events.errors import Unavailable
from assay_events.jetstream import JetStream
from assay_events.position import Position
from assay_serve.postgres import Reads, open_pool
from tests.integration.assay_events.conftest import DEPLOYMENT
from tests.support.read_model import Following, following
from tests.support.toy import NAME, PROJECTION, TOY, Archive, Create, Register, intent

LATEST_NUMBER = """
SELECT latest FROM model WHERE name = $2 AND from_revision <= $1 AND to_revision > $1
"""


async def number(reads: Reads, fresh: str = "", moment: Moment | None = None) -> tuple[int, str]:
    """Return the number of the toy's latest version, and the token that came with it."""
    async with reads.by_revision(fresh, moment or Moment()) as snapshot:
        found = await snapshot.db.fetchval(LATEST_NUMBER, snapshot.revision, NAME)
        return int(found), snapshot.token


async def test_each_write_is_read_with_its_token_and_every_moment_before_it(
    store: JetStream, dsn: str
) -> None:
    commands, tokens = Commands(store, context="metadata", deployment=DEPLOYMENT), list[str]()
    async with following(store, PROJECTION, dsn) as model:
        await commands.handle(TOY, NAME, Create(), intent())
        for count in range(1, 20):
            done = await commands.handle(TOY, NAME, Register(), intent())
            assert await number(model.reads, done.token) == (count, done.token)
            tokens.append(done.token)
        for count, past in enumerate(tokens, 1):
            moment = Moment(revision=token.decode(past))
            assert (await number(model.reads, moment=moment))[0] == count


async def test_a_rebuild_while_reading_takes_no_step_backwards(store: JetStream, dsn: str) -> None:
    commands = Commands(store, context="metadata", deployment=DEPLOYMENT)
    async with following(store, PROJECTION, dsn) as model:
        await commands.handle(TOY, NAME, Create(), intent())
        for count in range(1, 4):
            await model.rebuilder.rebuild()
            done = await commands.handle(TOY, NAME, Register(), intent())
            assert await number(model.reads, done.token) == (count, done.token)
        await commands.handle(TOY, NAME, Archive(), intent())
        assert await model.rebuilder.check() == []


async def test_a_database_that_lost_commits_is_not_read_from(store: JetStream, dsn: str) -> None:
    commands = Commands(store, context="metadata", deployment=DEPLOYMENT)
    async with following(store, PROJECTION, dsn) as model:
        done = await commands.handle(TOY, NAME, Create(), intent())
        await model.reach(done.revision)
        ahead = await reads_that_know(model, store, dsn, done.revision + 1)
        with pytest.raises(Unavailable, match="catches up after a crash"):
            await number(ahead)
        level = await reads_that_know(model, store, dsn, done.revision)
        assert await number(level) == (0, done.token)
        await ahead.close()
        await level.close()


async def test_a_process_that_does_not_keep_the_read_model_asks_postgres_how_far_it_is(
    store: JetStream, dsn: str
) -> None:
    commands = Commands(store, context="metadata", deployment=DEPLOYMENT)
    async with following(store, PROJECTION, dsn) as model:
        done = await commands.handle(TOY, NAME, Create(), intent())
        await model.reach(done.revision)
        other = Reads(await open_pool(dsn, PROJECTION.name), Position(), store)
        assert await number(other) == (0, done.token)
        await other.close()


async def reads_that_know(model: Following, store: JetStream, dsn: str, revision: int) -> Reads:
    """Return reads of a process that knows its read model to be as far as `revision`."""
    position = Position()
    position.advance(revision)
    position.is_kept_here = model.position.is_kept_here
    return Reads(await open_pool(dsn, PROJECTION.name, position), position, store)
