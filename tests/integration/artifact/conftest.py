"""One artifact service for all tests of this folder; each test has a namespace of its own."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.integration.artifact.depot import Depot, running


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    with running(tmp_path_factory.mktemp("artifact")) as depot:
        yield depot


@pytest.fixture
def depot(_running: Depot) -> Depot:
    """The service, with an empty namespace."""
    return replace(_running, namespace=f"namespaces/t-{uuid4()}")
