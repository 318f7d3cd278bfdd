"""Lineage over real servers: one NATS a test, one Postgres for all."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay_events.commands import Commands
from assay_lineage.projection import LINEAGE
from assay_serve.embedded import nats, postgres
from tests.support.read_model import Following, following
from tests.support.scribe import DEPLOYMENT, Scribe, writing


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Database]:
    """A Postgres server for all tests."""
    with postgres.running(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[nats.Bus]:
    """A NATS server without a stream."""
    with nats.running(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def scribe(bus: nats.Bus) -> AsyncIterator[Scribe]:
    """What writes events onto the founded stream."""
    async with writing(bus) as scribe:
        yield scribe


@pytest.fixture
async def tables(scribe: Scribe, database: postgres.Database) -> AsyncIterator[Following]:
    """The tables of lineage, kept level with the stream."""
    url = database.url("lineage")
    async with following(scribe.stores["lineage"], LINEAGE, url) as tables:
        yield tables


@pytest.fixture
def commands(scribe: Scribe) -> Commands:
    """What handles lineage's commands."""
    return Commands(scribe.stores["lineage"], context="lineage", deployment=DEPLOYMENT)
