"""One running metadata service for all tests of this folder; each test has models of its own."""

from collections.abc import Iterator

import pytest

from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from tests.integration.metadata.registry import Registry, running


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(tmp_path_factory.mktemp("metadata")) as registry:
        yield registry


@pytest.fixture
def registry(_running: Registry) -> Iterator[Registry]:
    """The service, with neighbours that answer."""
    yield _running
    _running.neighbours.away.clear()


@pytest.fixture
def metadata(registry: Registry) -> MetadataServiceStub:
    """The service as Ann calls it."""
    return registry.stub()
