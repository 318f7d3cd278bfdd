"""What both event stores promise: the one in memory is a fair stand-in for JetStream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from assay_events.envelope import NewMessage, Stored
from assay_events.errors import LostRace
from assay_events.jetstream import JetStream
from assay_events.memory import MemoryStore
from assay_events.store import EventStore
from assay_serve.embedded import nats
from tests.integration.assay_events.conftest import connect

SUBJECT = "assay.v1.metadata.model.00000000000000000000000000000001"
OTHER = "assay.v1.metadata.model.00000000000000000000000000000002"


@pytest.fixture(params=["memory", "jetstream"])
def any_store(request: pytest.FixtureRequest, store: JetStream) -> tuple[EventStore, int]:
    """Each store in turn, with the revision that its first append will get."""
    return (MemoryStore(), 1) if request.param == "memory" else (store, 2)


def message(text: str) -> NewMessage:
    """Return a message with some body."""
    return NewMessage(text, "assay.metadata.v1.ModelCreated", text.encode(), datetime.now(UTC))


async def read_all(store: EventStore, after: int) -> list[Stored]:
    """Return everything after a revision."""
    return [stored async for batch in store.read(after, follow=False) for stored in batch]


async def test_what_is_appended_can_be_read_back_verbatim(
    any_store: tuple[EventStore, int],
) -> None:
    store, first = any_store
    assert await store.append(SUBJECT, [message("a")], 0) == first
    (stored,) = await store.read_subject(SUBJECT)
    assert (stored.body, stored.revision, stored.nats_subject) == (b"a", first, SUBJECT)
    assert stored.type == "assay.metadata.v1.ModelCreated"
    assert abs((datetime.now(UTC) - stored.stream_time).total_seconds()) < 60
    assert await store.last(SUBJECT) == stored
    assert await read_all(store, first - 1) == [stored]


async def test_an_empty_subject_has_nothing(any_store: tuple[EventStore, int]) -> None:
    store, first = any_store
    assert await store.last(OTHER) is None
    assert list(await store.read_subject(OTHER)) == []
    assert await store.read_one(OTHER, 1) is None
    assert await store.last_revision() == first - 1


async def test_an_append_that_expects_another_revision_is_refused(
    any_store: tuple[EventStore, int],
) -> None:
    store, first = any_store
    await store.append(SUBJECT, [message("a")], 0)
    with pytest.raises(LostRace):
        await store.append(SUBJECT, [message("b")], 0)
    with pytest.raises(LostRace):
        await store.append(SUBJECT, [message("b")], first + 7)
    assert await store.last_revision() == first


async def test_the_same_append_again_after_a_lost_answer_meets_itself(
    any_store: tuple[EventStore, int],
) -> None:
    store, first = any_store
    batch = [message("a"), message("b")]
    assert await store.append(SUBJECT, batch, 0) == first + 1
    assert await store.append(SUBJECT, batch, 0) == first + 1
    assert await store.append(OTHER, [message("x")], 0) == first + 2
    assert await store.append(OTHER, [message("x")], 0) == first + 2
    assert await store.last_revision() == first + 2


async def test_several_events_of_one_append_stand_together(
    any_store: tuple[EventStore, int],
) -> None:
    store, first = any_store
    last = await store.append(SUBJECT, [message(text) for text in "abc"], 0)
    assert last == first + 2
    assert [s.body for s in await store.read_subject(SUBJECT)] == [b"a", b"b", b"c"]
    assert [s.revision for s in await store.read_subject(SUBJECT, first)] == [first + 1, first + 2]


async def test_a_batch_that_loses_its_race_leaves_nothing(
    any_store: tuple[EventStore, int],
) -> None:
    store, first = any_store
    await store.append(SUBJECT, [message("a")], 0)
    with pytest.raises(LostRace):
        await store.append(SUBJECT, [message("b"), message("c")], 0)
    assert await store.last_revision() == first


@pytest.mark.parametrize("count", [1, 3, 4, 1203])
async def test_a_subject_of_any_length_is_read_whole_and_in_order(
    any_store: tuple[EventStore, int], count: int
) -> None:
    store, _ = any_store
    revision = 0
    for start in range(0, count, 400):
        texts = [str(n) for n in range(start, min(start + 400, count))]
        revision = await store.append(SUBJECT, [message(text) for text in texts], revision)
    await store.append(OTHER, [message("other")], 0)
    bodies = [int(stored.body) for stored in await store.read_subject(SUBJECT)]
    assert bodies == list(range(count))


async def test_reading_goes_on_with_what_comes_later(any_store: tuple[EventStore, int]) -> None:
    store, first = any_store
    await store.append(SUBJECT, [message("a")], 0)
    seen: list[int] = []
    async for batch in store.read(first - 1, follow=True):
        seen += [stored.revision for stored in batch]
        if len(seen) == 1:
            await store.append(SUBJECT, [message("b")], first)
        if len(seen) == 2:
            break
    assert seen == [first, first + 1]


async def test_a_long_stream_is_read_without_a_gap(any_store: tuple[EventStore, int]) -> None:
    store, first = any_store
    revision = 0
    for start in range(3):
        texts = [f"{start}-{n}" for n in range(900)]
        revision = await store.append(SUBJECT, [message(text) for text in texts], revision)
    assert [s.revision for s in await read_all(store, 0)] == list(range(1, first + 2700))


FOREIGN = "assay.v1.artifact.blob.00000000000000000000000000000001"
METADATA = frozenset({"metadata"})
NOBODY = frozenset({"lineage"})


@pytest.fixture(params=["memory", "jetstream"])
async def mixed(
    request: pytest.FixtureRequest, bus: nats.Bus
) -> AsyncIterator[tuple[EventStore, int]]:
    """Each store in turn, with a foreign event, an own one and a foreign one; and its first."""
    async with contextlib.AsyncExitStack() as stack:
        ours: EventStore = MemoryStore()
        theirs, first = ours, 1
        if request.param == "jetstream":
            connections = [await connect(bus, service) for service in ("metadata", "artifact")]
            for connection in connections:
                stack.push_async_callback(connection.close)
            ours, theirs = (JetStream(connection) for connection in connections)
            first = 2
        await theirs.append(FOREIGN, [message("foreign")], 0)
        await ours.append(SUBJECT, [message("own")], 0)
        await theirs.append(FOREIGN, [message("foreign again")], first)
        yield ours, first


async def test_the_events_of_some_contexts_are_read_without_the_rest(
    mixed: tuple[EventStore, int],
) -> None:
    store, first = mixed
    for after, contexts, expected in (
        (0, METADATA, [first + 1]),
        (first + 1, METADATA, []),
        (0, NOBODY, []),
        (first - 1, METADATA | {"artifact"}, [first, first + 1, first + 2]),
    ):
        reading = store.read(after, follow=False, contexts=contexts)
        assert [stored.revision async for batch in reading for stored in batch] == expected


async def test_the_next_event_of_some_contexts_is_known_without_reading_the_rest(
    mixed: tuple[EventStore, int],
) -> None:
    store, first = mixed
    assert await store.next_revision(0, METADATA) == first + 1
    assert await store.next_revision(first + 1, METADATA) == 0
    assert await store.next_revision(first + 1, METADATA | {"artifact"}) == first + 2
    assert await store.next_revision(0, NOBODY) == 0


async def test_a_reading_that_waits_can_be_woken(any_store: tuple[EventStore, int]) -> None:
    store, first = any_store
    wake = asyncio.Event()
    wake.set()
    async for batch in store.read(first - 1, follow=True, contexts=METADATA, wake=wake):
        assert batch == []
        assert not wake.is_set()
        break


async def test_one_message_is_read_without_the_others(any_store: tuple[EventStore, int]) -> None:
    store, first = any_store
    await store.append(SUBJECT, [message("a")], 0)
    await store.append(OTHER, [message("b")], 0)
    await store.append(SUBJECT, [message("c")], first)
    read = [await store.read_one(SUBJECT, first + after) for after in range(4)]
    assert [stored and stored.body for stored in read] == [b"a", b"c", b"c", None]
