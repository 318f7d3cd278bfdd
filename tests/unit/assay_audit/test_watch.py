"""Watch, on a stream in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from assay.event.v1.envelope_pb2 import Envelope
from assay.event.v1.event_service_pb2 import WatchRequest, WatchResponse
from assay_audit.service.events import EventService
from assay_events.decider import Invalid
from assay_events.memory import MemoryStore

CHURN = "namespaces/default/models/churn"
STAGE_SET = "assay.metadata.v1.StageSet"
GRANTED = "assay.approval.v1.ApprovalGranted"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def put(store: MemoryStore, type_: str, subject: str) -> int:
    context = type_.split(".")[1]
    body = Envelope(type=type_, subject=subject).SerializeToString()
    return store.store_raw(f"assay.v1.{context}.thing.{'0' * 32}", type_, body)


async def all_now(store: MemoryStore, request: WatchRequest) -> list[WatchResponse]:
    request.until_now = True
    return [got async for got in EventService(store).Watch(request, None)]


def revisions(responses: list[WatchResponse]) -> list[int]:
    return [got.event.revision for got in responses if got.HasField("event")]


async def test_every_event_comes_verbatim_and_in_order(store: MemoryStore) -> None:
    for number in range(2500):
        put(store, STAGE_SET, f"{CHURN}/stages/{number}")
    got = await all_now(store, WatchRequest())
    assert revisions(got) == list(range(1, 2501))
    assert [each.event.envelope for each in got[:-1]] == [each.body for each in store.messages]
    assert got[0].event.stream_time.ToDatetime() == store.messages[0].stream_time.replace(
        tzinfo=None
    )
    assert got[-1].heartbeat.revision == 2500


async def test_bytes_that_nobody_can_read_come_too(store: MemoryStore) -> None:
    store.store_raw("assay.v1.metadata.model.x", "", b"\xff\xff")
    (event, _) = await all_now(store, WatchRequest())
    assert event.event.envelope == b"\xff\xff"


async def test_a_watcher_gets_what_it_asked_for(store: MemoryStore) -> None:
    put(store, STAGE_SET, f"{CHURN}/stages/production")
    put(store, GRANTED, "namespaces/default/approvals/1")
    put(store, STAGE_SET, f"{CHURN}-2/stages/production")
    put(store, "assay.metadata.v1.ModelCreated", CHURN)
    store.store_raw("assay.v1.metadata.model.x", STAGE_SET, b"\xff\xff")
    assert revisions(await all_now(store, WatchRequest(contexts=["approval"]))) == [2]
    assert revisions(await all_now(store, WatchRequest(types=[STAGE_SET]))) == [1, 3, 5]
    assert revisions(await all_now(store, WatchRequest(resource=CHURN))) == [1, 4]
    both = WatchRequest(types=[STAGE_SET, GRANTED], contexts=["metadata"], resource=CHURN)
    assert revisions(await all_now(store, both)) == [1]


async def test_the_heartbeat_tells_how_far_a_watcher_is_without_a_match(store: MemoryStore) -> None:
    for _ in range(3):
        put(store, STAGE_SET, CHURN)
    (only,) = await all_now(store, WatchRequest(contexts=["lineage"]))
    assert only.heartbeat.revision == 3
    (resumed,) = await all_now(store, WatchRequest(after_revision=3))
    assert resumed.heartbeat.revision == 3


async def test_resuming_after_the_last_revision_loses_nothing_and_doubles_nothing(
    store: MemoryStore,
) -> None:
    for _ in range(20):
        put(store, STAGE_SET, CHURN)
    seen: list[int] = []
    while len(seen) < 20:
        after = WatchRequest(after_revision=seen[-1] if seen else 0)
        async with aclosing(watch(store, after)) as responses:
            async for got in responses:
                seen.append(got.event.revision)
                if len(seen) % 3 == 0 or len(seen) == 20:
                    break
    assert seen == list(range(1, 21))


async def test_until_now_leaves_out_what_comes_later(store: MemoryStore) -> None:
    put(store, STAGE_SET, CHURN)
    got = []
    async for response in EventService(store).Watch(WatchRequest(until_now=True), None):
        got.append(response)
        put(store, STAGE_SET, CHURN)
    assert revisions(got) == [1]


async def test_new_events_come_as_they_are_written_and_silence_is_broken(
    store: MemoryStore,
) -> None:
    put(store, STAGE_SET, CHURN)
    async with aclosing(watch(store, WatchRequest(after_revision=1))) as responses:
        assert (await anext(responses)).heartbeat.revision == 1
        waiting = asyncio.create_task(next_event(responses))
        await asyncio.sleep(0.05)
        put(store, STAGE_SET, CHURN)
        assert await waiting == 2


async def test_one_slow_watcher_holds_up_no_other(store: MemoryStore) -> None:
    slow = watch(store, WatchRequest())
    put(store, STAGE_SET, CHURN)
    await anext(slow)
    for _ in range(5000):
        put(store, STAGE_SET, CHURN)
    assert len(revisions(await all_now(store, WatchRequest()))) == 5001
    assert (await anext(slow)).event.revision == 2
    await slow.aclose()


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (WatchRequest(after_revision=-1), "after_revision"),
        (WatchRequest(after_revision=2), "after_revision"),
        (WatchRequest(contexts=["metdata"]), "contexts"),
        (WatchRequest(types=["StageSet"]), "types"),
    ],
)
async def test_what_can_never_come_is_refused(
    store: MemoryStore, request_: WatchRequest, field: str
) -> None:
    put(store, STAGE_SET, CHURN)
    with pytest.raises(Invalid) as refusal:
        await all_now(store, request_)
    assert refusal.value.field == field


async def watch(store: MemoryStore, request: WatchRequest) -> AsyncGenerator[WatchResponse, None]:
    service = EventService(store, silence_seconds=0.01)
    async for got in service.Watch(request, None):
        yield got


async def next_event(responses: AsyncIterator[WatchResponse]) -> int:
    while True:
        got = await anext(responses)
        if got.HasField("event"):
            return got.event.revision
