"""What mutual TLS costs a call between services: both ends in one process, plain and encrypted."""

import time
from collections.abc import Awaitable, Callable

import grpc

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from tests.bench.harness import Bench, Call, Measure, Ratio, p50_ms, rate
from tests.integration.assay_serve.toy import Running, running
from tests.support import mtls

_ASK = api.GetModelRequest(name="namespaces/default/models/bench-00")
_IN_FLIGHT = 32
_MICRO = 1_000_000


async def run(bench: Bench) -> list[Ratio]:
    """Let a person call the public port, and a service the internal one, in turns."""
    async with running(bench.scratch("peers")) as toy:
        open_plain, open_encrypted = _plain(toy), _encrypted(toy)
        plain, encrypted = open_plain(), open_encrypted()
        found = await bench.interleave(
            {
                "plain ms": lambda: p50_ms(plain, bench.seconds),
                "mTLS ms": lambda: p50_ms(encrypted, bench.seconds),
                "plain us": _cpu_us(plain, bench.seconds),
                "mTLS us": _cpu_us(encrypted, bench.seconds),
                "plain connection ms": lambda: p50_ms(_connecting(open_plain), bench.seconds),
                "mTLS connection ms": lambda: p50_ms(_connecting(open_encrypted), bench.seconds),
            }
        )
    return [
        _ratio(found, "a call between services over mTLS, 1 in flight", "ms"),
        _ratio(found, f"CPU of both its ends, {_IN_FLIGHT} in flight", "us"),
        _ratio(found, "its first call, with a connection of its own", "connection ms"),
    ]


def _ratio(found: dict[str, float], what: str, unit: str) -> Ratio:
    short = unit.rpartition(" ")[2]
    return Ratio(what, found[f"mTLS {unit}"], short, found[f"plain {unit}"], f"{short}, plain text")


class _Asking:
    """Asks over a channel with the metadata of one caller."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self.channel = channel
        self._stub = MetadataServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def __call__(self) -> None:
        await self._stub.GetModel(_ASK, metadata=self._metadata, timeout=10)


def _plain(toy: Running) -> Callable[[], _Asking]:
    token = toy.trust.user()
    return lambda: _Asking(grpc.aio.insecure_channel(toy.target, mtls.OPTIONS), token)


def _encrypted(toy: Running) -> Callable[[], _Asking]:
    token = toy.trust.service("approval", "metadata")
    credentials, options = mtls.client(toy.trust.folder, "approval", "metadata")
    return lambda: _Asking(grpc.aio.secure_channel(toy.internal, credentials, options), token)


def _connecting(opened: Callable[[], _Asking]) -> Call:
    async def connect() -> None:
        asking = opened()
        await asking()
        await asking.channel.close()

    return connect


def _cpu_us(call: Callable[[], Awaitable[object]], seconds: float) -> Measure:
    async def measure() -> float:
        before = time.process_time()
        calls = await rate(call, _IN_FLIGHT, seconds) * seconds
        return (time.process_time() - before) / calls * _MICRO

    return measure
