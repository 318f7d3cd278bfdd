"""The views come to the same verdict as the rules, whatever lies on the stream."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    KeyEnrolled,
    PrincipalCreated,
)
from assay.approval.v1.resources_pb2 import Approval
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.counting import Event
from assay_approval.projection import APPROVAL as READ_MODEL
from assay_approval.service.messages import to_approval
from assay_approval.service.parts import history
from assay_events.decider import NotFound
from assay_events.memory import MemoryStore
from assay_events.rebuild import Rebuilder
from assay_serve.embedded import postgres
from assay_serve.postgres import open_pool
from assay_trust import dsse
from assay_trust.record import ENROLMENT_TYPE, SIGNATURE_TYPE, EnrolmentRecord, Meaning
from tests.support.scribe import DEPLOYMENT, Scribe
from tests.unit.assay_approval.people import (
    APPROVAL_NAME,
    NOW,
    Person,
    asked,
    granted,
    record,
    signed,
    text,
)

PEOPLE = [Person(word) for word in ("ann", "bob", "eve", "dan")] + [Person("bob", key_number=1)]


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres.running(Path(tmp_path_factory.mktemp("verdicts"))) as database:
        yield database.url("approval")


def rejected(person: Person, of: ApprovalRequested) -> ApprovalRejected:
    data = record(person, of, Meaning.REJECTED, "No.").to_bytes()
    return ApprovalRejected(
        name=of.name,
        signer=person.name,
        key=person.key,
        public_key=person.pair.public,
        record=data,
        signature=dsse.sign(person.pair.private, SIGNATURE_TYPE, data),
        printed_name=text(person.word.title()),
    )


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Return any event of one approval: right, forged, too early, too late, twice."""
    person = draw(st.sampled_from(PEOPLE))
    of = asked(draw(st.sampled_from((1, 2, 2, 2, 3))), PEOPLE[0])
    kinds = ["request", "sign", "sign", "sign", "sign", "reject", "grant", "grant", "revoke"]
    match draw(st.sampled_from([*kinds, "forge", "other"])):
        case "request":
            return of
        case "sign":
            return signed(person, of)
        case "reject":
            return rejected(person, of)
        case "grant":
            return granted(of, *PEOPLE[1:3])
        case "revoke":
            return ApprovalRevoked(name=of.name)
        case "forge":
            forged = signed(person, of)
            forged.signature = bytes(64)
            return forged
    other = granted(of, person)
    other.manifest_digest = "sha256:" + "ee" * 32
    return other


def introductions() -> Iterator[PrincipalCreated | KeyEnrolled]:
    """Yield the events that make everybody known, with their keys."""
    human = ActorKind.ACTOR_KIND_HUMAN
    for person in PEOPLE[:4]:
        yield PrincipalCreated(name=person.name, kind=human, printed_name=text("X"))
    for person in PEOPLE:
        data = EnrolmentRecord(
            deployment=DEPLOYMENT,
            principal=person.name,
            key=person.key,
            public_key=person.pair.public.hex(),
            time=NOW,
            nonce="ab" * 32,
        ).to_bytes()
        proof = dsse.sign(person.pair.private, ENROLMENT_TYPE, data)
        public = person.pair.public
        yield KeyEnrolled(name=person.key, public_key=public, record=data, signature=proof)


async def both(dsn: str, script: list[Event]) -> tuple[list[Approval], list[Approval]]:
    """Return the approval as the rules tell it, and as the read model does."""
    store = MemoryStore()
    scribe = Scribe({"approval": store})
    for event in (*introductions(), *script):
        await scribe.write(event)
    await Rebuilder(store, dsn, READ_MODEL, DEPLOYMENT).rebuild()
    steps = await history(store, DEPLOYMENT, APPROVAL, APPROVAL_NAME)
    told = [to_approval(steps)] if steps and steps[-1].state.name else []
    pool = await open_pool(dsn, "approval")
    async with pool.acquire() as db:
        try:
            read = [await queries.get_approval(db, APPROVAL_NAME)]
        except NotFound:
            read = []
    await pool.close()
    return told, read


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(events(), max_size=10))
def test_the_read_model_says_what_the_rules_say(dsn: str, script: list[Event]) -> None:
    told, read = asyncio.run(both(dsn, [asked(2, PEOPLE[0]), *script]))
    assert told == read


@settings(max_examples=20, deadline=None)
@given(st.lists(events(), max_size=6))
def test_the_read_model_says_what_the_rules_say_of_a_bad_beginning(
    dsn: str, script: list[Event]
) -> None:
    told, read = asyncio.run(both(dsn, script))
    assert told == read


def test_a_grant_without_a_quorum_is_open_in_both(dsn: str) -> None:
    of = asked(2, PEOPLE[0])
    script: list[Event] = [of, signed(PEOPLE[1], of), ApprovalGranted(name=of.name)]
    told, read = asyncio.run(both(dsn, script))
    assert told == read
    assert len(told[0].signatures) == 1
