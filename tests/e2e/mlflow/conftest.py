"""A real `mlflow server` with a registry, beside a real stack."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from tests.support import mlflow_server
from tests.support.mlflow_server import Server


@pytest.fixture(scope="package")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server with a registry."""
    with mlflow_server.serving(mlflow_server.install(), tmp_path_factory.mktemp("mlflow")) as it:
        yield it


@pytest.fixture(scope="package")
def client(stack: Path) -> Iterator[Client]:
    """Give a client of the stack."""
    with Client.connect(stack) as it:
        yield it


@pytest.fixture
def tenant(client: Client) -> str:
    """Give a namespace of the test's own."""
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    client.metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id=tenant))
    return tenant


@pytest.fixture(autouse=True)
def _only_what_was_seeded(peer: Server) -> Iterator[None]:
    """Delete the models that a test made: another imports the whole registry."""
    before = peer.names()
    yield
    for name in peer.names() - before:
        peer.post("registered-models/delete", {"name": name}, "DELETE")
