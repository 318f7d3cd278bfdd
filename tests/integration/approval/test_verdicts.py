"""The views come to the same verdict as the rules, whatever lies on the stream."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    KeyEnrolled,
    PrincipalCreated,
    RoleGranted,
)
from assay.approval.v1.resources_pb2 import Approval
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.counting import Event
from assay_approval.domain.roles import role_name
from assay_approval.projection import APPROVAL as READ_MODEL
from assay_approval.service.approval import ApprovalService
from assay_approval.service.histories import last
from assay_events.decider import NotFound
from assay_events.memory import MemoryStore
from assay_events.rebuild import Rebuilder
from assay_serve.embedded import postgres
from assay_serve.postgres import open_pool
from assay_trust import dsse
from assay_trust.record import SIGNATURE_TYPE, Meaning
from tests.integration.approval.in_process import call, serving
from tests.support.scribe import DEPLOYMENT, Scribe
from tests.unit.assay_approval.people import (
    APPROVAL_NAME,
    ROLE,
    Person,
    asked,
    granted,
    record,
    signed,
    text,
)
from tests.unit.assay_approval.test_principal import enrolled

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


def introductions() -> Iterator[PrincipalCreated | KeyEnrolled | RoleGranted]:
    """Yield the events that make everybody known, with their keys and roles."""
    human = ActorKind.ACTOR_KIND_HUMAN
    for person in PEOPLE[:4]:
        yield PrincipalCreated(name=person.name, kind=human, printed_name=text("X"))
        role, scope = f"approver:{ROLE}", "*"
        name = role_name(person.name, role, scope)
        yield RoleGranted(name=name, role=role, scope=scope, founding=True)
    for person in PEOPLE:
        yield enrolled(person)


async def both(dsn: str, script: list[Event]) -> tuple[list[Approval], list[Approval]]:
    """Return the approval as the stream tells it, and as the read model does."""
    store = MemoryStore()
    scribe = Scribe({"approval": store})
    revision = 0
    for event in (*introductions(), *script):
        revision = await scribe.write(event)
    await Rebuilder(store, dsn, READ_MODEL, DEPLOYMENT).rebuild()
    pool = await open_pool(dsn, "approval")
    async with serving(store, pool) as service:
        return await told(service, revision), await read(service)


async def told(service: ApprovalService, revision: int) -> list[Approval]:
    """Return what a command that wrote the last event would answer."""
    steps = await service._history(APPROVAL, APPROVAL_NAME)
    if not last(steps, APPROVAL).name:
        return []
    return [await service._told(APPROVAL_NAME, revision)]


async def read(service: ApprovalService) -> list[Approval]:
    try:
        request = api.GetApprovalRequest(name=APPROVAL_NAME)
        return [(await service.GetApproval(request, call())).approval]
    except NotFound:
        return []


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(events(), max_size=10))
def test_the_read_model_says_what_the_rules_say(dsn: str, script: list[Event]) -> None:
    by_stream, by_tables = asyncio.run(both(dsn, [asked(2, PEOPLE[0]), *script]))
    assert by_stream == by_tables


@settings(max_examples=10, deadline=None)
@given(st.lists(events(), max_size=6))
def test_the_read_model_says_what_the_rules_say_of_a_bad_beginning(
    dsn: str, script: list[Event]
) -> None:
    by_stream, by_tables = asyncio.run(both(dsn, script))
    assert by_stream == by_tables


def test_a_grant_without_a_quorum_is_open_in_both(dsn: str) -> None:
    of = asked(2, PEOPLE[0])
    script: list[Event] = [of, signed(PEOPLE[1], of), ApprovalGranted(name=of.name)]
    by_stream, by_tables = asyncio.run(both(dsn, script))
    assert by_stream == by_tables
    assert len(by_stream[0].signatures) == 1
