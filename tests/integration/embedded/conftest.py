"""Stacks to drive: one for each test that changes it, one for the tests that only look."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.embedded.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that is not up yet, in a folder that needs quoting."""
    stack = Stack(tmp_path / "Modelle für 'alle' $HOME")
    yield stack
    stack.run("down")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up; leave it as it is."""
    stack = Stack(tmp_path_factory.mktemp("running") / "data")
    stack.up()
    yield stack
    stack.run("down")
