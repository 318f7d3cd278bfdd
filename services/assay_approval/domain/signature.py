"""The rules of signing an approval: by whom, in which role, at which step, to what end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, TypeVar

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalSigned,
    BreakGlassReviewed,
)
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.domain.commands import Reject, Review, Sign
from assay_approval.domain.counting import Approval, act_of, closes, counts, reviews
from assay_approval.domain.signing import (
    Signing,
    bad_signature,
    check_reason,
    check_reason_code,
    check_signer,
    read_record,
)
from assay_approval.domain.state import check_open, existing
from assay_approval.verdict import Act, Counting, People, valid_seconds
from assay_events.decider import Forbidden, Refusal, Rejection
from assay_trust.digests import sha256
from assay_trust.display import display_text

_SignatureT = TypeVar("_SignatureT", ApprovalSigned, ApprovalRejected, BreakGlassReviewed)
_Signed: TypeAlias = ApprovalSigned | ApprovalGranted


def sign(command: Sign, state: Approval) -> Sequence[_Signed]:
    """Add a signature, and grant the approval where it completes the last step."""
    signing = command.signing
    check_signer(signing.signer)
    check_may_sign(command.approval, signing.signer.name, state, signing.at)
    signed = _filled(ApprovalSigned(), signing, state)
    counting = so_far(state, command.people)
    check_fits(counting, act_of(signed))
    _check_counts(counts(state, signed))
    counting.add(act_of(signed))
    if not counting.verdict().is_complete:
        return [signed]
    _check_conditions(state)
    return [signed, _grant(state, counting.verdict().signers, signing.at)]


def reject(command: Reject, state: Approval) -> Sequence[ApprovalRejected]:
    """Add a signature against it; it closes the approval unless its step survives that."""
    signing = command.signing
    check_reason(signing.reason)
    check_signer(signing.signer)
    check_may_sign(command.approval, signing.signer.name, state, signing.at)
    rejected = _filled(ApprovalRejected(), signing, state)
    check_reason_code(read_record(signing).reason_code, state.request.specs)
    check_fits(so_far(state, command.people), act_of(rejected))
    rejected.is_closing = closes(state, rejected)
    _check_counts(counts(state, rejected))
    return [rejected]


def review(command: Review, state: Approval) -> Sequence[BreakGlassReviewed]:
    """Sign that a break-glass grant was looked at, by an approver who had no part in it."""
    signing = command.signing
    existing(command.approval, state)
    check_reason(signing.reason)
    check_signer(signing.signer)
    if state.review_due is None:
        words = "Leave it as it is: no review of this approval is due."
        raise Rejection(Reason.REASON_NOT_OPEN, words)
    reviewed = _filled(BreakGlassReviewed(), signing, state)
    act = act_of(reviewed)
    check_reason_code(read_record(signing).reason_code, state.request.specs)
    if not command.people.may_sign(act, state.request.target):
        raise _role_required(act)
    person = command.people.person
    involved = {person(each) for each in (state.request.submitter, *state.signers)}
    if person(act.signer) in involved:
        words = "Ask another person to review it: you had a part in it."
        raise Forbidden(Reason.REASON_SELF_APPROVAL, words, signer=act.signer)
    _check_counts(reviews(state, reviewed))
    return [reviewed]


def check_may_sign(approval: str, signing_as: str, state: Approval, at: datetime) -> None:
    """Refuse a signer whom this approval does not take, or takes no more."""
    existing(approval, state)
    if signing_as == state.request.submitter:
        raise _self_approval(signing_as)
    if signing_as in state.signers:
        raise _signed_already(signing_as)
    check_open(approval, state, at)


def so_far(state: Approval, people: People) -> Counting:
    """Return the count of what was signed, as far as its signers still have their roles."""
    counting = Counting(state.request, people)
    for act in state.acts:
        counting.add(act)
    return counting


def check_fits(counting: Counting, act: Act) -> None:
    """Refuse a signature that would count nowhere, and say why."""
    fault = counting.read(act).fault
    if fault:
        raise _refusal(fault, counting, act)


def _check_conditions(state: Approval) -> None:
    """Refuse the last signature while a condition that evidence may still satisfy is not met."""
    if not state.missing:
        return
    told = "; ".join(f"{n.rpartition('/')[2]}: {detail}" for n, detail in state.missing.items())
    words = f"Attach what the policy asks for before the last signature. {told}"
    raise Rejection(Reason.REASON_CONDITION_UNMET, words, conditions=",".join(state.missing))


def _refusal(fault: str, counting: Counting, act: Act) -> Refusal:
    match fault:
        case "role":
            return _role_required(act)
        case "again":
            return _signed_already(act.signer)
        case "submitter":
            return _self_approval(act.signer)
        case "independence":
            words = "Ask another person: the step is to be independent of you."
            return Forbidden(Reason.REASON_NOT_INDEPENDENT, words, signer=act.signer)
    waiting = ", ".join(
        f"{step.id} for {' or '.join(seat.role or 'any approver' for seat in step.seats)}"
        for _, step in counting.open_steps()
    )
    words = f"Sign what is open now: {waiting or 'nothing'}."
    return Rejection(Reason.REASON_STEP_NOT_OPEN, words, step=act.step, role=act.role)


def _role_required(act: Act) -> Refusal:
    words = f"Ask an admin for approver:{act.role or '<role>'} where the target is."
    return Forbidden(Reason.REASON_ROLE_REQUIRED, words, role=act.role, signer=act.signer)


def _self_approval(signer: str) -> Refusal:
    words = "Ask another person to sign: who submitted the approval may not."
    return Forbidden(Reason.REASON_SELF_APPROVAL, words, signer=signer)


def _signed_already(signer: str) -> Refusal:
    words = "Ask another person to sign: you have signed this approval already."
    return Rejection(Reason.REASON_ALREADY_SIGNED, words, signer=signer)


def _grant(state: Approval, signers: Sequence[str], at: datetime) -> ApprovalGranted:
    """Return the event that lets the version in, for as long as each policy lets it."""
    request = state.request
    granted = ApprovalGranted(
        name=state.name,
        version=request.version,
        manifest_digest=request.manifest_digest,
        target=request.target,
        signers=signers,
    )
    valid = valid_seconds(request.specs, is_break_glass=request.is_break_glass)
    before = max((spec.recertify_before_seconds for spec in request.specs), default=0)
    if valid:
        granted.expire_time.FromDatetime(at + timedelta(seconds=valid))
    if valid and before and not request.is_break_glass:
        granted.recertify_time.FromDatetime(at + timedelta(seconds=max(0, valid - before)))
    if request.is_break_glass:
        within = min(spec.break_glass.review_seconds for spec in request.specs)
        granted.review_due_time.FromDatetime(at + timedelta(seconds=within))
    return granted


def _filled(event: _SignatureT, signing: Signing, state: Approval) -> _SignatureT:
    """Return `event` filled with what was signed."""
    record = read_record(signing)
    event.name = state.name
    event.signer = record.signer
    event.key = record.key
    event.public_key = signing.signer.keys[record.key]
    event.record = signing.record
    event.signature = signing.signature
    event.printed_name.CopyFrom(signing.printed_name)
    event.display_digest = sha256(display_text(record).encode())
    if signing.passkey.ListFields():
        event.passkey.CopyFrom(signing.passkey)
    return event


def _check_counts(does_count: bool) -> None:  # noqa: FBT001 - the one thing it is about
    if not does_count:
        raise bad_signature(
            "Sign what PrepareSignature gives for this approval; the signature does not fit it."
        )
