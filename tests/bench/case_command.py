"""A cached command against its two parts: an empty gRPC call and a bare fsynced publish."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.metadata.v1 import metadata_service_pb2 as api
from assay_events.connection import Connection
from tests.bench import empty_server, stack
from tests.bench.harness import Bench, Call, Ratio, p50_ms, rate
from tests.bench.stack import Stack

MODELS = 200
NAMES = [f"namespaces/default/models/bench-{number:03}" for number in range(MODELS)]
BODY_BYTES = 600  # what a small event of the metadata service takes
_IN_FLIGHT = 64
_COMMANDS_ONLY = {"metadata": "tests.bench.command_side", "setup": "assay_events.setup"}


async def run(bench: Bench) -> list[Ratio]:
    """Measure the command side alone, then within the whole stack."""
    with stack.running(bench.scratch("commands"), _COMMANDS_ONLY) as running:
        alone = await _measure(bench, running, "command side alone")
    with stack.running(bench.scratch("whole")) as running:
        whole = await _measure(bench, running, "whole stack at work")
    return [*alone, *whole]


async def _measure(bench: Bench, running: Stack, where: str) -> list[Ratio]:
    bench.say(where)
    with empty_server.running() as (address, _):
        async with (
            running.bus("metadata") as bus,
            stack.updating(address, running.identity, NAMES) as empty,
            _command(running) as ours,
        ):
            return await _compare(bench, _bare(bus), empty, ours, where)


async def _compare(bench: Bench, bare: Call, empty: Call, ours: Call, where: str) -> list[Ratio]:
    seconds = bench.seconds
    found = await bench.interleave(
        {
            "bare p50 ms": lambda: p50_ms(bare, seconds),
            "empty p50 ms": lambda: p50_ms(empty, seconds),
            "command p50 ms": lambda: p50_ms(ours, seconds),
            "bare /s": lambda: rate(bare, _IN_FLIGHT, seconds),
            "empty /s": lambda: rate(empty, _IN_FLIGHT, seconds),
            "command /s": lambda: rate(ours, _IN_FLIGHT, seconds),
        }
    )
    parts = 1 / (1 / found["bare /s"] + 1 / found["empty /s"])
    return [
        Ratio("bare fsynced publish, 1 in flight", found["bare p50 ms"], "ms"),
        Ratio("bare fsynced publish, 64 in flight", found["bare /s"], "/s"),
        Ratio("empty gRPC call, 1 in flight", found["empty p50 ms"], "ms"),
        Ratio("empty gRPC call, 64 in flight", found["empty /s"], "/s"),
        Ratio(
            f"cached command, 64 in flight, {where}",
            found["command /s"],
            "/s",
            parts,
            "1/(1/bare + 1/empty)",
            at_least=0.9,
        ),
        Ratio(
            f"cached command, 1 in flight, {where}",
            found["command p50 ms"],
            "ms",
            found["empty p50 ms"] + found["bare p50 ms"],
            "empty + bare",
            at_most=1.2,
        ),
    ]


def _bare(bus: Connection) -> Call:
    """Return what publishes one message as the metadata service, and awaits its fsync."""
    body = bytes(BODY_BYTES)
    subjects = itertools.cycle([f"assay.v1.metadata.bench.{number}" for number in range(MODELS)])

    async def publish() -> None:
        await bus.request(next(subjects), body, {"Assay-Type": "assay.bench.v1.Nothing"})

    return publish


@asynccontextmanager
async def _command(running: Stack) -> AsyncIterator[Call]:
    """Give what changes one of many models, which are made first."""
    address, identity = running.endpoints["metadata"], running.identity
    async with stack.stubs(address) as stub:
        for number in range(MODELS):
            request = api.CreateModelRequest(
                parent="namespaces/default", model_id=f"bench-{number:03}"
            )
            await stub().CreateModel(request, metadata=identity)
    async with stack.updating(address, identity, NAMES) as update:
        yield update
