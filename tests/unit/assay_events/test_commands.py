"""How a command becomes events, whatever the domain."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import ModelCreated, ModelVersionRegistered
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events import codec
from assay_events.commands import Commands
from assay_events.decider import Aborted, AlreadyExists, Invalid, NotFound
from assay_events.envelope import NewMessage, Stored
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.memory import MemoryStore
from tests.support.toy import NAME, TOY, Archive, Create, Register, Restore, intent

DEPLOYMENT = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def store() -> MemoryStore:
    """An empty stream."""
    return MemoryStore()


def commands(store: MemoryStore) -> Commands:
    """Return a fresh handler, as another process would have it."""
    return Commands(store, context="metadata", deployment=DEPLOYMENT)


async def test_a_command_writes_its_events_and_answers_from_them(store: MemoryStore) -> None:
    done = await commands(store).handle(TOY, NAME, Create(versions=2), intent())
    assert done.state.count == 2
    assert [recorded.revision for recorded in done.events] == [1, 2, 3]
    assert done.revision == 3
    assert done.etag(f"{NAME}/versions/1") == '"2"'


async def test_each_event_names_the_digest_of_the_one_before(store: MemoryStore) -> None:
    await commands(store).handle(TOY, NAME, Create(versions=1), intent())
    await commands(store).handle(TOY, NAME, Register(), intent())
    envelopes = [Envelope.FromString(stored.body) for stored in store.messages]
    assert envelopes[0].previous_digest == b""
    assert len({envelope.previous_digest for envelope in envelopes}) == 3


async def test_a_retry_gives_the_first_outcome_also_after_later_events(store: MemoryStore) -> None:
    handler, first = commands(store), intent()
    await handler.handle(TOY, NAME, Create(), intent())
    done = await handler.handle(TOY, NAME, Register("sha256:1"), first)
    await handler.handle(TOY, NAME, Register("sha256:2"), intent())
    for other in (handler, commands(store)):
        again = await other.handle(TOY, NAME, Register("sha256:1"), first)
        assert (again.state.count, again.revision) == (1, done.revision)
        assert [recorded.body for recorded in again.events] == [r.body for r in done.events]
    assert len(store.messages) == 3


class Counting(MemoryStore):
    """Counts the messages of a subject that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_count = 0

    async def read_subject(self, nats_subject: str, after: int = 0) -> Sequence[Stored]:
        found = await super().read_subject(nats_subject, after)
        self.read_count += len(found)
        return found

    async def last(self, nats_subject: str) -> Stored | None:
        return next((m for m in reversed(self.messages) if m.nats_subject == nats_subject), None)

    async def read_one(self, nats_subject: str, revision: int) -> Stored | None:
        self.read_count += 1
        own = (m for m in self.messages[revision - 1 :] if m.nats_subject == nats_subject)
        return next(own, None)


async def test_a_repeated_request_is_told_by_its_first_event_alone() -> None:
    store, first = Counting(), intent()
    handler = commands(store)
    await handler.handle(TOY, NAME, Create(), intent())
    await handler.handle(TOY, NAME, Register("sha256:1"), first)
    await handler.handle(TOY, NAME, Register("sha256:2"), intent())
    folded = await handler.fold(TOY, NAME)
    store.read_count = 0
    assert await handler.is_repeated(TOY, NAME, folded, first)
    assert not await handler.is_repeated(TOY, NAME, folded, intent())
    assert store.read_count == 1
    other = Actor(principal="principals/ben", kind=ActorKind.ACTOR_KIND_HUMAN)
    for wrong in (intent(first.request_id, digest=b"another"), replace(first, actor=other)):
        with pytest.raises(Invalid) as caught:
            await handler.is_repeated(TOY, NAME, folded, wrong)
        assert caught.value.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_a_request_id_may_not_serve_another_request(store: MemoryStore) -> None:
    handler, first = commands(store), intent()
    await handler.handle(TOY, NAME, Create(), first)
    other = intent(first.request_id, digest=b"another")
    with pytest.raises(Invalid) as caught:
        await handler.handle(TOY, NAME, Register(), other)
    assert caught.value.reason == Reason.REASON_REQUEST_ID_REUSED


async def test_a_request_id_may_not_serve_another_actor(store: MemoryStore) -> None:
    handler, first = commands(store), intent()
    await handler.handle(TOY, NAME, Create(), first)
    bob = Actor(principal="principals/bob", kind=ActorKind.ACTOR_KIND_HUMAN)
    with pytest.raises(Invalid):
        await handler.handle(TOY, NAME, Create(), intent(first.request_id, actor=bob))


async def test_a_stale_etag_is_refused_and_the_current_one_told(store: MemoryStore) -> None:
    handler = commands(store)
    await handler.handle(TOY, NAME, Create(), intent())
    await handler.handle(TOY, NAME, Archive(), intent(etag='"1"'))
    with pytest.raises(Aborted) as caught:
        await handler.handle(TOY, NAME, Restore(), intent(etag='"1"'))
    assert caught.value.metadata["etag"] == '"2"'


async def test_a_command_that_changes_nothing_writes_nothing(store: MemoryStore) -> None:
    handler = commands(store)
    await handler.handle(TOY, NAME, Create(), intent())
    await handler.handle(TOY, NAME, Archive(), intent())
    done = await handler.handle(TOY, NAME, Archive(), intent())
    assert (done.events, done.revision) == ((), 2)


async def test_a_refusal_rests_on_the_stream_not_on_an_old_cache(store: MemoryStore) -> None:
    stale, other = commands(store), commands(store)
    with pytest.raises(NotFound):
        await stale.handle(TOY, NAME, Register(), intent())
    await other.handle(TOY, NAME, Create(), intent())
    done = await stale.handle(TOY, NAME, Register(), intent())
    assert done.state.count == 1


async def test_64_racing_handlers_number_without_gaps(store: MemoryStore) -> None:
    await commands(store).handle(TOY, NAME, Create(), intent())
    handlers = [commands(store) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(handlers[n % 4].handle(TOY, NAME, Register(), intent()) for n in range(64)),
        return_exceptions=True,
    )
    done = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert sorted(outcome.state.count for outcome in done) == list(range(1, len(done) + 1))
    assert all(isinstance(o, Aborted) for o in outcomes if isinstance(o, BaseException))


async def test_a_name_is_created_once(store: MemoryStore) -> None:
    await commands(store).handle(TOY, NAME, Create(), intent())
    with pytest.raises(AlreadyExists):
        await commands(store).handle(TOY, NAME, Create(), intent())


async def test_an_event_over_60000_bytes_is_refused_by_field(store: MemoryStore) -> None:
    handler = commands(store)
    await handler.handle(TOY, NAME, Create(), intent())
    with pytest.raises(Invalid) as caught:
        await handler.handle(TOY, NAME, Register("x" * 60_000), intent())
    assert (caught.value.reason, caught.value.field) == (
        Reason.REASON_TOO_LARGE,
        "manifest_digest",
    )


class FlakyStore(MemoryStore):
    """A store whose answer is lost once, after the events have landed."""

    def __init__(self) -> None:
        """Begin empty; the first answer will be lost."""
        super().__init__()
        self.lose = True

    async def append(self, nats_subject: str, messages: Sequence[NewMessage], expected: int) -> int:
        """Append, then lose the answer."""
        last = await super().append(nats_subject, messages, expected)
        if self.lose:
            self.lose = False
            raise Unavailable("The answer was lost.")
        return last


async def test_a_retry_after_a_lost_answer_returns_what_landed() -> None:
    store = FlakyStore()
    handler, first = commands(store), intent()
    with pytest.raises(Unavailable):
        await handler.handle(TOY, NAME, Create(), first)
    done = await handler.handle(TOY, NAME, Create(), first)
    assert (done.revision, len(store.messages)) == (1, 1)


FORGERIES = {
    "another source": {"source": "services/approval"},
    "another aggregate": {"aggregate": "assay.v1.metadata.model.0"},
    "another deployment": {"deployment": "22222222-2222-4222-8222-222222222222"},
    "a broken chain": {"previous_digest": b"x" * 32},
    "another resource": {"subject": "namespaces/default/models/other"},
    "no request id": {"request_id": ""},
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_event_does_not_count_and_stops_nothing(
    store: MemoryStore, forgery: dict[str, str | bytes]
) -> None:
    await commands(store).handle(TOY, NAME, Create(), intent())
    put_forged(store, ModelVersionRegistered(name=f"{NAME}/versions/1", number=1), **forgery)
    done = await commands(store).handle(TOY, NAME, Register(), intent())
    assert (done.state.count, done.revision) == (1, 3)


async def test_bytes_that_are_no_event_do_not_count(store: MemoryStore) -> None:
    await commands(store).handle(TOY, NAME, Create(), intent())
    store.store_raw(TOY.subject(NAME), "assay.metadata.v1.ModelArchived", b"\xff garbage")
    done = await commands(store).handle(TOY, NAME, Register(), intent())
    assert done.state.count == 1


async def test_an_admitted_event_of_an_unknown_type_stops_the_aggregate(store: MemoryStore) -> None:
    await commands(store).handle(TOY, NAME, Create(), intent())
    put_forged(store, ModelCreated(name=NAME), type="assay.metadata.v1.FromTheFuture")
    with pytest.raises(StreamCorrupt) as caught:
        await commands(store).handle(TOY, NAME, Register(), intent())
    assert caught.value.revision == 2


def put_forged(store: MemoryStore, event: Message, **changes: str | bytes) -> None:
    """Put an event on the toy's subject that is right but for `changes`."""
    envelope = Envelope.FromString(store.messages[-1].body)
    envelope.previous_digest = sha256(store.messages[-1].body).digest()
    envelope.subject = getattr(event, "name")  # noqa: B009 - every event message has a name
    envelope.request_id = intent().request_id
    codec.encode(envelope, event)
    for field, value in changes.items():
        setattr(envelope, field, value)
    store.store_raw(TOY.subject(NAME), envelope.type, envelope.SerializeToString())
