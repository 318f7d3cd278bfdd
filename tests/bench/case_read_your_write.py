"""How long after its acknowledgement a write is read, against one commit of the same Postgres.

Counted from the acknowledgement of a command until GetModel with its token has answered, less what
the same GetModel takes when nobody wrote: what is left is the wait for the read model.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from uuid import uuid4

import asyncpg

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model
from tests.bench import stack
from tests.bench.harness import MILLI, Bench, Call, Measure, Ratio, p50_ms
from tests.bench.stack import Stack

_NAME = "namespaces/default/models/bench"
_CREATE = """
CREATE SCHEMA bench;
CREATE TABLE bench.counter (id integer PRIMARY KEY, value bigint NOT NULL);
INSERT INTO bench.counter VALUES (1, 0);
"""
_COMMIT = "UPDATE bench.counter SET value = value + 1 WHERE id = 1"


async def run(bench: Bench) -> list[Ratio]:
    """Write and read over the whole stack."""
    with stack.running(bench.scratch("stack")) as running:
        async with (
            stack.stubs(running.endpoints["metadata"]) as stub,
            _commit(running) as commit,
        ):
            identity, seconds = running.identity, bench.seconds
            create = api.CreateModelRequest(parent="namespaces/default", model_id="bench")
            await stub().CreateModel(create, metadata=identity)

            async def write() -> str:
                request = api.UpdateModelRequest(model=Model(name=_NAME, description=str(uuid4())))
                return (await stub().UpdateModel(request, metadata=identity)).consistency_token

            async def read(token: str = "") -> None:
                request = api.GetModelRequest(name=_NAME, at_least_as_fresh=token)
                await stub().GetModel(request, metadata=identity, timeout=10)

            async def write_and_read() -> float:
                token = await write()
                begun = time.perf_counter()
                await read(token)
                return (time.perf_counter() - begun) * MILLI

            found = await bench.interleave(
                {
                    "commit ms": lambda: p50_ms(commit, seconds),
                    "read ms": lambda: p50_ms(read, seconds),
                    "read of a write ms": _p50_of(write_and_read, seconds),
                }
            )
    whole, alone = found["read of a write ms"], found["read ms"]
    return [
        Ratio("GetModel, nobody writing", alone, "ms"),
        Ratio("GetModel with the token of a write just acknowledged", whole, "ms"),
        Ratio(
            "read-your-write: what the token adds to the call",
            whole - alone,
            "ms",
            found["commit ms"],
            "ms, one Postgres commit",
            at_most=2,
        ),
    ]


def _p50_of(measured: "Measure", seconds: float) -> Measure:
    """Return what tells the median of times that are measured inside."""

    async def measure() -> float:
        times, until = list[float](), time.perf_counter() + seconds
        while time.perf_counter() < until:
            times.append(await measured())
        return median(times)

    return measure


@asynccontextmanager
async def _commit(running: Stack) -> AsyncIterator[Call]:
    """Give what commits one changed row, in the database that metadata's read model is in."""
    password, address = running.secrets.postgres["metadata"], running.endpoints["postgres"]
    db = await asyncpg.connect(f"postgresql://metadata:{password}@{address}/metadata")
    try:
        await db.execute(_CREATE)
        yield lambda: db.execute(_COMMIT)
    finally:
        await db.close()
