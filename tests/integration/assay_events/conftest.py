"""Real servers for the event library.

One NATS a test, one Postgres for all, a database a test run.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from assay_events.connection import Address, Connection
from assay_events.jetstream import JetStream
from assay_events.setup import set_up
from assay_serve.embedded import nats, postgres

DEPLOYMENT = "11111111-1111-4111-8111-111111111111"
OWNER = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[nats.Bus]:
    """A NATS server with the founded stream."""
    with nats.running(tmp_path / "nats") as running:
        await _set_up(running)
        yield running


@pytest.fixture
async def store(bus: nats.Bus) -> AsyncIterator[JetStream]:
    """The stream, as the metadata service sees it."""
    connection = await connect(bus, "metadata")
    yield JetStream(connection)
    await connection.close()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Database]:
    """A Postgres server for all tests."""
    with postgres.running(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
async def dsn(database: postgres.Database) -> str:
    """The metadata service's database, emptied of read models."""
    url = database.url("metadata")
    db = await asyncpg.connect(url)
    for record in await db.fetch(
        "SELECT nspname FROM pg_namespace WHERE nspname ~ '^(toy|metadata)'"
    ):
        await db.execute(f'DROP SCHEMA "{record["nspname"]}" CASCADE')
    await db.close()
    return url


async def connect(bus: nats.Bus, service: str) -> Connection:
    """Return a connection of one service."""
    return await Connection.open(Address(bus.url, service, bus.passwords[service]))


def new_id() -> str:
    """Return a fresh request id."""
    return str(uuid4())


async def _set_up(bus: nats.Bus) -> None:
    address = Address(bus.url, "setup", bus.passwords["setup"], prefix="$JS.API.")
    connection = await Connection.open(address)
    await set_up(connection, DEPLOYMENT, OWNER)
    await connection.close()
