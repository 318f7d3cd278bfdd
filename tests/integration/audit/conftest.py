"""The audit log over real servers: one NATS a test, one Postgres for all."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assay_audit.projection import AUDIT
from assay_audit.service.log import AuditService
from assay_serve.embedded import nats, postgres
from tests.support.read_model import Following, following
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


@pytest.fixture
async def log(scribe: Scribe, database: postgres.Database) -> AsyncIterator[Following]:
    """The audit log's tables, owned by one role and kept level by another."""
    urls = database.url("audit"), database.owner_url("audit")
    async with following(scribe.stores["audit"], AUDIT, *urls, role="audit") as log:
        yield log


@pytest.fixture
def audit(log: Following) -> AuditService:
    """The service over those tables."""
    return AuditService(log.reads)
