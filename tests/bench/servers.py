"""NATS and Postgres without any service, with a founded stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from assay_events.connection import Address, Connection
from assay_events.setup import set_up
from assay_serve.embedded import nats
from tests.bench.history import DEPLOYMENT, OWNER


@asynccontextmanager
async def founded(folder: Path) -> AsyncIterator[Connection]:
    """Run NATS; give a connection as the metadata service has it."""
    with nats.running(folder) as bus:
        setup = Address(bus.url, "setup", bus.passwords["setup"], prefix="$JS.API.")
        connection = await Connection.open(setup)
        await set_up(connection, DEPLOYMENT, OWNER)
        await connection.close()
        address = Address(bus.url, "metadata", bus.passwords["metadata"])
        connection = await Connection.open(address)
        try:
            yield connection
        finally:
            await connection.close()
