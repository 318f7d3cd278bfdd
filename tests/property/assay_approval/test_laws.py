"""Laws of approvals that hold for any script of commands and any events on the stream."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from assay.approval.v1.events_pb2 import ApprovalGranted, ApprovalRevoked
from assay.approval.v1.resources_pb2 import ApprovalState
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Command, Revoke
from assay_approval.domain.counting import Event
from assay_events.spec import run
from tests.unit.assay_approval.people import (
    APPROVAL_NAME,
    Person,
    asked,
    granted,
    reject,
    request,
    sign,
    signed,
    text,
)

PEOPLE = [Person(word) for word in ("ann", "bob", "eve", "dan")] + [Person("bob", key_number=1)]
QUORUMS = (1, 2, 3)


@st.composite
def commands(draw: st.DrawFn) -> Command:
    """Return any command: right ones, ones of another approval, ones under the wrong meaning."""
    person, quorum = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(QUORUMS))
    match draw(st.sampled_from(["request", "sign", "sign", "sign", "reject", "revoke", "copy"])):
        case "request":
            return request(quorum, person)
        case "sign":
            return sign(person, asked(quorum))
        case "copy":
            of_another = asked(quorum)
            of_another.name = of_another.name[:-1] + "f"
            return replace(sign(person, of_another), approval=APPROVAL_NAME)
        case "reject":
            return reject(person, asked(quorum))
    return Revoke(APPROVAL_NAME, ActorKind.ACTOR_KIND_HUMAN, text("A bug."))


scripts = st.lists(commands(), max_size=12)


@settings(deadline=None)
@given(scripts)
def test_an_approval_is_granted_at_most_once_and_never_by_its_submitter(
    script: list[Command],
) -> None:
    events = run(APPROVAL, script)
    state = APPROVAL.fold(events)
    grants = [event for event in events if isinstance(event, ApprovalGranted)]
    assert len(grants) <= 1
    assert state.request.submitter not in state.signers
    for grant in grants:
        assert len(set(grant.signers)) == len(grant.signers) == state.request.quorum
        assert state.request.submitter not in grant.signers


@settings(deadline=None)
@given(scripts)
def test_replay_equals_the_live_fold(script: list[Command]) -> None:
    live = APPROVAL.initial
    for event in run(APPROVAL, script):
        live = APPROVAL.evolve(live, type(event).FromString(event.SerializeToString()))
    assert live == APPROVAL.fold(run(APPROVAL, script))


@settings(deadline=None)
@given(scripts)
def test_every_event_that_the_rules_bring_about_counts(script: list[Command]) -> None:
    state = APPROVAL.initial
    for event in run(APPROVAL, script):
        after = APPROVAL.evolve(state, event)
        assert after != state
        state = after


@st.composite
def forgeries(draw: st.DrawFn) -> Event:
    """Return an event that somebody without a signing key could append."""
    person, quorum = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(QUORUMS))
    event = signed(person, asked(quorum))
    match draw(st.sampled_from(["grant", "flip", "signer", "key", "rename"])):
        case "grant":
            return granted(asked(quorum), *PEOPLE[:quorum])
        case "flip":
            place = draw(st.integers(0, len(event.signature) - 1))
            changed = bytearray(event.signature)
            changed[place] ^= 1
            event.signature = bytes(changed)
        case "signer":
            event.signer = f"{person.name[:-1]}{'0' if person.name[-1] != '0' else '1'}"
        case "key":
            thief = Person("mallory")
            event.public_key = thief.pair.public
        case _:
            event.name = event.name[:-1] + "f"
    return event


@settings(deadline=None)
@given(scripts, st.lists(st.tuples(st.integers(0, 20), forgeries()), max_size=6))
def test_forged_events_anywhere_change_nothing(
    script: list[Command], forged: list[tuple[int, Event]]
) -> None:
    honest = run(APPROVAL, script)
    mixed = list(honest)
    for place, event in forged:
        mixed.insert(min(place, len(mixed)), event)
    outcome, wanted = APPROVAL.fold(mixed), APPROVAL.fold(honest)
    assert outcome.signers == wanted.signers
    assert outcome == wanted


@settings(deadline=None)
@given(scripts, st.lists(forgeries(), max_size=4))
def test_a_revoked_approval_stays_revoked(script: list[Command], later: list[Event]) -> None:
    events = run(APPROVAL, script)
    if any(isinstance(event, ApprovalRevoked) for event in events):
        more = [*events, *later, *run(APPROVAL, script)]
        assert APPROVAL.fold(more).state == ApprovalState.APPROVAL_STATE_REVOKED
