"""What approval does by itself waits where the read model is behind, and never gives up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from assay.metadata.v1.events_pb2 import ModelVersionArchived
from assay_approval.reactions import Watchman
from assay_events import codec
from assay_events.commands import Commands
from assay_events.errors import ProjectionBehind, Unavailable
from assay_events.memory import MemoryStore
from tests.support.scribe import DEPLOYMENT, Scribe

if TYPE_CHECKING:
    from assay_serve.postgres import Reads


class Behind:
    """A read model that does not get there in time."""

    @asynccontextmanager
    async def at(self, at_least_as_fresh: str) -> AsyncIterator[None]:
        if at_least_as_fresh:
            raise ProjectionBehind(0, 1)
        yield


@pytest.mark.requirement("S9")
async def test_the_voiding_of_approvals_waits_for_the_read_model() -> None:
    store = MemoryStore()
    await Scribe({"metadata": store}).write(
        ModelVersionArchived(name="namespaces/default/models/churn/versions/1")
    )
    reads: Reads = Behind()  # type: ignore[assignment]
    watchman = Watchman(Commands(store, context="approval", deployment=DEPLOYMENT), reads)
    with pytest.raises(Unavailable):
        await watchman.void(codec.decode(store.messages[0]))
