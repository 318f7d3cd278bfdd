"""The running toy server for the tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.assay_serve.toy import Running, running


@pytest.fixture
async def toy(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as server:
        yield server
