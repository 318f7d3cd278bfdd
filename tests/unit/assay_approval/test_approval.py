"""The rules of an approval, told as stories."""

from dataclasses import replace
from datetime import timedelta

import pytest

from assay import names
from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
)
from assay.approval.v1.resources_pb2 import ApprovalState, OnEnd, PolicyRef
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.conditions import Inputs
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Revoke, Sign
from assay_events.decider import Forbidden, Invalid, NotFound, Rejection
from assay_events.spec import Spec
from assay_trust import digests, display
from assay_trust.record import Meaning, Named
from tests.unit.assay_approval.people import (
    ANN,
    APPROVAL_NAME,
    BOB,
    DAN,
    EVE,
    NOW,
    Person,
    asked,
    granted,
    history,
    policy,
    record,
    reject,
    request,
    sign,
    signed,
    signing,
    text,
)

approval = Spec(APPROVAL)
HUMAN = ActorKind.ACTOR_KIND_HUMAN


def with_display(event: ApprovalSigned, person: Person, of: ApprovalRequested) -> ApprovalSigned:
    shown = display.display_text(record(person, of))
    event.display_digest = digests.sha256(shown.encode())
    return event


def by(person: Person, of: ApprovalRequested) -> ApprovalSigned:
    return with_display(signed(person, of), person, of)


def test_a_request_fixes_version_digest_policies_and_the_largest_quorum() -> None:
    one, three = policy("one", quorum=1), policy("three", quorum=3)
    asking = replace(request(), policies=(one, three))
    approval.given().when(asking).then(
        ApprovalRequested(
            name=APPROVAL_NAME,
            version=str(asking.version),
            manifest_digest=asking.facts.manifest_digest,
            target=str(asking.target),
            policies=[PolicyRef(name=each.name, digest=each.digest) for each in (one, three)],
            quorum=3,
            submitter=ANN.name,
            nonce=asking.nonce,
            registrant=ANN.name,
            evidence=asking.facts.inputs.to_bytes(),
            evidence_digest=asking.facts.inputs.digest,
            specs=[each.spec for each in (one, three)],
        )
    )


def test_an_approval_needs_a_policy_that_governs_its_target() -> None:
    ungoverned = replace(request(), policies=())
    approval.given().when(ungoverned).then_rejected(Reason.REASON_NOT_GOVERNED)


def test_a_version_without_a_digest_is_refused() -> None:
    draft = replace(request(), facts=replace(request().facts, manifest_digest=""))
    approval.given().when(draft).then_rejected(Reason.REASON_MANIFEST_MISSING)


def test_an_archived_version_is_refused() -> None:
    archived = replace(request(), facts=replace(request().facts, is_archived=True))
    approval.given().when(archived).then_rejected(Reason.REASON_VERSION_ARCHIVED)


def test_a_target_of_another_model_is_refused() -> None:
    foreign = replace(request(), target=names.StageName("default", "fraud", "production"))
    refusal = approval.given().when(foreign).then_rejected(Reason.REASON_MALFORMED)
    assert isinstance(refusal, Invalid)
    assert refusal.field == "approval.target"


def test_evidence_of_more_than_16_kib_is_refused() -> None:
    facts = replace(request().facts, inputs=Inputs({"model.tier": "x" * (16 * 1024 + 1)}))
    approval.given().when(replace(request(), facts=facts)).then_rejected(Reason.REASON_TOO_LARGE)


def test_an_approval_is_asked_for_once() -> None:
    approval.given(asked()).when(request()).then_rejected(Reason.REASON_ALREADY_EXISTS)


def test_a_first_signature_of_two_is_recorded_and_grants_nothing() -> None:
    approval.given(asked()).when(sign(BOB, asked())).then(by(BOB, asked()))


def test_the_second_signature_reaches_a_quorum_of_two() -> None:
    approval.given(asked(), signed(BOB, asked())).when(sign(EVE, asked())).then(
        by(EVE, asked()), granted(asked(), BOB, EVE)
    )


def test_one_signature_reaches_a_quorum_of_one() -> None:
    approval.given(asked(1)).when(sign(BOB, asked(1))).then(
        by(BOB, asked(1)), granted(asked(1), BOB)
    )


def test_the_submitter_may_not_sign() -> None:
    refusal = approval.given(asked()).when(sign(ANN, asked()))
    assert isinstance(refusal.then_rejected(Reason.REASON_SELF_APPROVAL), Forbidden)


def test_the_submitter_may_not_reject_either() -> None:
    approval.given(asked()).when(reject(ANN, asked())).then_rejected(Reason.REASON_SELF_APPROVAL)


def test_a_person_signs_once() -> None:
    outcome = approval.given(asked(), signed(BOB, asked())).when(sign(BOB, asked()))
    outcome.then_rejected(Reason.REASON_ALREADY_SIGNED)


def test_a_person_with_two_keys_signs_once() -> None:
    second = Person("bob", key_number=1)
    outcome = approval.given(asked(), signed(BOB, asked())).when(sign(second, asked()))
    outcome.then_rejected(Reason.REASON_ALREADY_SIGNED)


def test_who_approved_may_not_reject_afterwards() -> None:
    outcome = approval.given(asked(), signed(BOB, asked())).when(reject(BOB, asked()))
    outcome.then_rejected(Reason.REASON_ALREADY_SIGNED)


def test_nobody_signs_what_was_never_asked_for() -> None:
    refusal = approval.given().when(sign(BOB, asked())).then_rejected(Reason.REASON_NOT_FOUND)
    assert isinstance(refusal, NotFound)
    assert "Request the approval" in str(refusal)


def test_a_workload_may_not_sign() -> None:
    command = sign(BOB, asked())
    workload = replace(command.signing.signer, kind=ActorKind.ACTOR_KIND_WORKLOAD)
    outcome = approval.given(asked()).when(with_signer(command, workload=workload))
    outcome.then_rejected(Reason.REASON_HUMAN_REQUIRED)


def with_signer(command: Sign, **signers: object) -> Sign:
    (signer,) = signers.values()
    return replace(command, signing=replace(command.signing, signer=signer))  # type: ignore[arg-type]


def test_the_owner_may_not_sign() -> None:
    command = sign(BOB, asked())
    owner = replace(command.signing.signer, is_owner=True)
    outcome = approval.given(asked()).when(with_signer(command, owner=owner))
    outcome.then_rejected(Reason.REASON_OWNER_MAY_NOT_SIGN)


@pytest.mark.parametrize("late", [False, True])
def test_a_closed_approval_takes_no_signature(late: bool) -> None:
    closed = (
        history(request(1), sign(BOB, asked(1)))
        if late
        else history(request(1), reject(BOB, asked(1)))
    )
    for command in (sign(EVE, asked(1)), reject(EVE, asked(1))):
        approval.given(*closed).when(command).then_rejected(Reason.REASON_NOT_OPEN)


def test_a_rejection_closes_the_approval() -> None:
    events = history(request(), sign(BOB, asked()), reject(EVE, asked()))
    assert isinstance(events[-1], ApprovalRejected)
    assert APPROVAL.fold(events).state == ApprovalState.APPROVAL_STATE_REJECTED


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_rejection_says_why(reason: str) -> None:
    refusal = approval.given(asked()).when(reject(BOB, asked(), reason))
    assert isinstance(refusal.then_rejected(Reason.REASON_REQUIRED), Invalid)


ANOTHER_POLICY = (
    Named("namespaces/default/policies/production/versions/2", "sha256:" + "00" * 32),
)
ALTERED: dict[str, dict[str, object]] = {
    "approval": {"approval": "namespaces/default/approvals/5f2a0000-0000-4000-8000-00000000000f"},
    "nonce": {"nonce": "ce" * 32},
    "version": {
        "subject": Named("namespaces/default/models/churn/versions/4", "sha256:" + "ab" * 32)
    },
    "digest": {
        "subject": Named("namespaces/default/models/churn/versions/3", "sha256:" + "ac" * 32)
    },
    "target": {"target": "namespaces/default/models/churn/stages/staging"},
    "policy": {"policies": ANOTHER_POLICY},
    "no policy": {"policies": ()},
    "meaning": {"meaning": Meaning.REJECTED},
    "revocation": {"meaning": Meaning.REVOKED},
    "deployment": {"deployment": "0d9a3a0e-3c0f-4a55-8f3a-000000000002"},
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_signature_of_something_else_is_refused(what: str) -> None:
    command = sign(BOB, asked(), **ALTERED[what])
    refusal = approval.given(asked()).when(command).then_rejected(Reason.REASON_BAD_SIGNATURE)
    assert isinstance(refusal, Rejection)


def test_an_approving_signature_does_not_reject() -> None:
    from_sign = replace(
        reject(BOB, asked()), signing=signing(BOB, record(BOB, asked(), reason="No."), "No.")
    )
    approval.given(asked()).when(from_sign).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_signature_under_another_key_is_refused() -> None:
    good, bad = sign(BOB, asked()), sign(EVE, asked())
    forged = replace(good, signing=replace(good.signing, signature=bad.signing.signature))
    approval.given(asked()).when(forged).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_signature_of_changed_bytes_is_refused() -> None:
    command = sign(BOB, asked())
    later = record(BOB, asked())
    changed = replace(later, time=later.time + timedelta(seconds=1)).to_bytes()
    forged = replace(command, signing=replace(command.signing, record=changed))
    approval.given(asked()).when(forged).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_record_that_is_not_canonical_is_refused() -> None:
    command = sign(BOB, asked())
    loose = command.signing.record.replace(b",", b", ", 1)
    forged = replace(command, signing=replace(command.signing, record=loose))
    approval.given(asked()).when(forged).then_rejected(Reason.REASON_MALFORMED)


def test_a_key_that_is_not_enrolled_does_not_sign() -> None:
    command = sign(BOB, asked())
    keyless = replace(command.signing.signer, keys={})
    outcome = approval.given(asked()).when(with_signer(command, keyless=keyless))
    outcome.then_rejected(Reason.REASON_KEY_NOT_ENROLLED)


def test_nobody_signs_in_the_name_of_another() -> None:
    command = sign(BOB, asked())
    outcome = approval.given(asked()).when(with_signer(command, eve=EVE.signer))
    outcome.then_rejected(Reason.REASON_KEY_NOT_ENROLLED)


@pytest.mark.parametrize("minutes", [-11, 11])
def test_a_stale_record_is_refused(minutes: int) -> None:
    command = sign(BOB, asked(), time=NOW + timedelta(minutes=minutes))
    approval.given(asked()).when(command).then_rejected(Reason.REASON_STALE_RECORD)


def test_the_printed_name_is_the_one_that_the_signer_is_known_by() -> None:
    command = sign(BOB, asked(), printed_name_commitment=text("Somebody Else").commitment.hex())
    other = replace(command, signing=replace(command.signing, printed_name=text("Somebody Else")))
    approval.given(asked()).when(other).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_signature_without_a_printed_name_is_refused() -> None:
    command = sign(BOB, asked(), printed_name_commitment="")
    nameless = replace(command, signing=replace(command.signing, printed_name=PersonalText()))
    approval.given(asked()).when(nameless).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_the_reason_is_the_one_that_the_record_binds() -> None:
    command = reject(BOB, asked(), "Drifts.")
    other = replace(command, signing=replace(command.signing, reason=text("Fine, in truth.")))
    approval.given(asked()).when(other).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_grant_can_be_taken_back() -> None:
    events = history(request(1), sign(BOB, asked(1)))
    approval.given(*events).when(Revoke(APPROVAL_NAME, HUMAN, text("A bug."))).then(
        ApprovalRevoked(
            name=APPROVAL_NAME,
            version=asked().version,
            target=asked().target,
            previous_state=ApprovalState.APPROVAL_STATE_GRANTED,
            on_end=OnEnd.ON_END_OUT,
        )
    )


def test_only_a_grant_can_be_taken_back() -> None:
    command = Revoke(APPROVAL_NAME, HUMAN, text("A bug."))
    approval.given(asked()).when(command).then_rejected(Reason.REASON_NOT_GRANTED)
    approval.given().when(command).then_rejected(Reason.REASON_NOT_FOUND)


def test_a_revocation_says_why_and_is_a_persons() -> None:
    events = history(request(1), sign(BOB, asked(1)))
    blank = Revoke(APPROVAL_NAME, HUMAN, PersonalText())
    approval.given(*events).when(blank).then_rejected(Reason.REASON_REQUIRED)
    machine = Revoke(APPROVAL_NAME, ActorKind.ACTOR_KIND_WORKLOAD, text("A bug."))
    approval.given(*events).when(machine).then_rejected(Reason.REASON_HUMAN_REQUIRED)


def test_a_revoked_approval_stays_revoked() -> None:
    events = [*history(request(1), sign(BOB, asked(1))), ApprovalRevoked(name=APPROVAL_NAME)]
    events += (signed(EVE, asked(1)), granted(asked(1), BOB), asked(1))
    assert APPROVAL.fold(events).state == ApprovalState.APPROVAL_STATE_REVOKED
    command = Revoke(APPROVAL_NAME, HUMAN, text("Again."))
    approval.given(*events).when(command).then_rejected(Reason.REASON_NOT_GRANTED)


def test_of_64_signers_for_the_last_place_one_gets_it() -> None:
    people = [Person(f"person{number}") for number in range(64)]
    events = [*history(request(2), sign(DAN, asked()))]
    for person in people:
        outcome = Spec(APPROVAL).given(*events).when(sign(person, asked()))
        if person is people[0]:
            events += outcome.events  # type: ignore[arg-type]
        else:
            outcome.then_rejected(Reason.REASON_NOT_OPEN)
    assert sum(isinstance(event, ApprovalGranted) for event in events) == 1
