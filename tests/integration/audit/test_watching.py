"""Watch over gRPC: from any position, through crashes, and each watcher at its own pace."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest

from assay.audit.v1.audit_service_pb2 import ListLogEntriesRequest
from assay.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from assay.event.v1.envelope_pb2 import Envelope
from assay.event.v1.event_service_pb2 import WatchRequest, WatchResponse
from assay.event.v1.event_service_pb2_grpc import EventServiceStub
from assay.metadata.v1.events_pb2 import ModelCreated
from assay_events import token
from assay_events.errors import Unavailable
from assay_serve.embedded import nats, postgres
from tests.support.read_model import empty
from tests.support.scribe import Scribe
from tests.support.service import Service, bearer, service

if TYPE_CHECKING:  # the stubs of a channel of grpc.aio are there for types only
    from assay.audit.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from assay.event.v1.event_service_pb2_grpc import EventServiceAsyncStub

CHURN = "namespaces/default/models/churn"


@pytest.fixture
async def served(
    scribe: Scribe, bus: nats.Bus, database: postgres.Database, tmp_path: Path
) -> AsyncIterator[Service]:
    """The audit service as a process."""
    await empty(database.owner_url("audit"))
    audit = service("audit", tmp_path / "identity", bus, database)
    await asyncio.to_thread(audit.prepare)
    await asyncio.to_thread(audit.running.start)
    yield audit
    await asyncio.to_thread(audit.running.stop)


async def watch(
    served: Service, request: WatchRequest, seconds: float = 30
) -> AsyncIterator[WatchResponse]:
    async with served.channel() as channel:
        stub: EventServiceAsyncStub = EventServiceStub(channel)
        async for response in stub.Watch(request, metadata=bearer(served.folder), timeout=seconds):
            yield response


async def revisions_now(served: Service, **fields: object) -> list[int]:
    request = WatchRequest(until_now=True, **fields)  # type: ignore[arg-type]  # a test's own
    found = [response async for response in watch(served, request)]
    assert found[-1].heartbeat.revision
    return [response.event.revision for response in found[:-1]]


async def follow(served: Service, seen: list[int], until: int) -> None:
    """Watch until a revision, and resume after each failure where the last one was seen."""
    while not seen or seen[-1] < until:
        with contextlib.suppress(grpc.aio.AioRpcError):
            request = WatchRequest(after_revision=seen[-1] if seen else 0)
            async for response in watch(served, request):
                if response.HasField("event"):
                    seen.append(response.event.revision)
                if seen and seen[-1] >= until:
                    return
        await asyncio.sleep(0.05)


async def written_at_last(scribe: Scribe, count: int) -> None:
    """Write events, each again until the store answers."""
    for _ in range(count):
        event = ModelCreated(name=f"{CHURN}-{uuid4()}")
        while True:
            try:
                await scribe.write(event)
                break
            except Unavailable:
                await asyncio.sleep(0.1)


async def write(scribe: Scribe, count: int) -> int:
    last = 0
    for _ in range(count):
        last = await scribe.write(ModelCreated(name=f"{CHURN}-{uuid4()}"))
    return last


async def test_a_watcher_who_resumes_through_crashes_misses_nothing_and_sees_nothing_twice(
    scribe: Scribe, served: Service
) -> None:
    seen: list[int] = []
    following = asyncio.create_task(follow(served, seen, 151))
    for _ in range(3):
        await write(scribe, 30)
        await asyncio.to_thread(served.running.kill)
        await write(scribe, 20)
        await asyncio.to_thread(served.running.start)
    async with asyncio.timeout(30):
        await following
    assert seen == list(range(1, 152))
    async with served.channel() as channel:
        stub: AuditServiceAsyncStub = AuditServiceStub(channel)
        listed = await stub.ListLogEntries(
            ListLogEntriesRequest(page_size=1000, at_least_as_fresh=token.encode(151)),
            metadata=bearer(served.folder),
        )
    assert [entry.revision for entry in listed.entries] == seen
    assert await asyncio.to_thread(served.run, "check") == 0


async def test_a_watcher_outlives_the_event_store(
    scribe: Scribe, served: Service, bus: nats.Bus
) -> None:
    await write(scribe, 20)
    seen: list[int] = []
    following = asyncio.create_task(follow(served, seen, 41))
    while len(seen) < 21:  # noqa: ASYNC110 - a list wakes nobody
        await asyncio.sleep(0.05)
    await asyncio.to_thread(bus.server.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(bus.server.start)
    async with asyncio.timeout(20):
        await written_at_last(scribe, 20)
        await following
    assert seen == list(range(1, 42))


async def test_a_watcher_sees_an_event_soon_after_it_is_written(
    scribe: Scribe, served: Service
) -> None:
    responses = watch(served, WatchRequest(types=["assay.metadata.v1.ModelCreated"]))
    next_response = asyncio.ensure_future(anext(responses))
    await asyncio.sleep(0.5)
    revision = await write(scribe, 1)
    got = await asyncio.wait_for(next_response, 30)
    assert got.event.revision == revision
    assert Envelope.FromString(got.event.envelope).type == "assay.metadata.v1.ModelCreated"


async def test_silence_is_broken_after_five_seconds(scribe: Scribe, served: Service) -> None:
    await write(scribe, 3)
    responses = watch(served, WatchRequest(contexts=["lineage"]))
    started = time.monotonic()
    got = await asyncio.wait_for(anext(responses), 30)
    assert got.heartbeat.revision == 4
    assert got.heartbeat.HasField("time")
    assert time.monotonic() - started > 4.5


async def test_what_is_asked_for_is_what_comes(scribe: Scribe, served: Service) -> None:
    mine = await scribe.write(ModelCreated(name=CHURN))
    await write(scribe, 2)
    garbage = await scribe.write_raw("approval", b"\xff\xff")
    assert await revisions_now(served, resource=CHURN) == [mine]
    assert await revisions_now(served, contexts=["approval", "audit"]) == [1, garbage]
    assert await revisions_now(served, after_revision=garbage) == []
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await revisions_now(served, after_revision=garbage + 1)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_watcher_who_does_not_read_holds_up_nobody(scribe: Scribe, served: Service) -> None:
    stuck = watch(served, WatchRequest())
    await anext(stuck)
    big = [ModelCreated(name=f"{CHURN}-{n}", description="x" * 50_000) for n in range(150)]
    for event in big:
        await scribe.write(event)
    assert await asyncio.wait_for(revisions_now(served), 30) == list(range(1, 152))
    rest = [(await anext(stuck)).event.revision for _ in big]
    assert rest == list(range(2, 152))


async def test_nobody_watches_without_a_token(served: Service) -> None:
    async with served.channel() as channel:
        stub: EventServiceAsyncStub = EventServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await anext(aiter(stub.Watch(WatchRequest(until_now=True))))
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
