"""One running approval service for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court, sitting


@pytest.fixture(scope="session")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with sitting(Path(tmp_path_factory.mktemp("court"))) as running:
        yield running


@pytest.fixture
def ann(court: Court) -> Caller:
    return court.someone()


@pytest.fixture
def bob(court: Court) -> Caller:
    return court.someone()


@pytest.fixture
def eve(court: Court) -> Caller:
    return court.someone()
