"""The audit log over real servers: one NATS a test, one Postgres for all."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay_audit.projection import AUDIT
from assay_audit.service.log import AuditService
from assay_serve.embedded import nats, postgres
from assay_serve.rights import Rights
from tests.support.read_model import Following, following
from tests.support.scribe import DEPLOYMENT, OWNER, Scribe, writing


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
async def log(scribe: Scribe, database: postgres.Database) -> AsyncIterator[Following]:
    """The audit log's tables, owned by one role and kept level by another."""
    urls = database.url("audit"), database.owner_url("audit")
    async with following(scribe.stores["audit"], AUDIT, *urls, role="audit") as log:
        yield log


@pytest.fixture
async def audit(scribe: Scribe, log: Following) -> AsyncIterator[AuditService]:
    """The service over those tables, and over who is who."""
    people = Rights(scribe.stores["audit"], DEPLOYMENT, f"principals/{OWNER}")
    following = asyncio.create_task(people.run())
    yield AuditService(log.reads, people)
    following.cancel()
