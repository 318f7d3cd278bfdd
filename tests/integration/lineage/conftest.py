"""Lineage over real servers: one NATS a test, one Postgres for all."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay_serve.embedded import nats, postgres
from tests.support.scribe import Scribe, writing


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
