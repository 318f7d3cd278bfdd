"""An approval as answers show it: told from its events, counted by the rules."""

from collections.abc import Iterable, Sequence

from assay.approval.v1.events_pb2 import (
    ApprovalCommented,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
    ApprovalSuspended,
    ApprovalVoided,
    BreakGlassReviewed,
    EvidenceAttached,
)
from assay.approval.v1.resources_pb2 import (
    Approval,
    Comment,
    ConditionResult,
    Evidence,
    Meaning,
    SeatStanding,
    Signature,
)
from assay_approval.domain import counting
from assay_approval.domain.signature import so_far
from assay_approval.service.histories import Step
from assay_approval.service.messages import to_timestamp
from assay_approval.signatures import SignatureEvent, bound_reason, record_of, sign_time
from assay_approval.verdict import People
from assay_events.envelope import Recorded
from assay_trust import record

_Steps = Sequence[Step[counting.Approval]]


def to_approval(steps: _Steps, people: People) -> Approval:
    """Return an approval with the signatures that count."""
    state, message = steps[-1].state, Approval()
    for step in steps:
        if step.counts:
            _tell(message, step)
    _fill(message, state.request)
    message.etag = f'"{steps[-1].recorded.revision}"'
    message.state = state.state
    message.quorum = state.quorum
    message.seats.extend(_seats(state, people))
    message.conditions.extend(_conditions(state))
    if state.ends is not None:
        message.expire_time.CopyFrom(to_timestamp(state.ends))
    if state.recertify is not None:
        message.recertify_time.CopyFrom(to_timestamp(state.recertify))
    if state.review_due is not None:
        message.review_due_time.CopyFrom(to_timestamp(state.review_due))
    return message


def to_comments(steps: _Steps) -> list[Comment]:
    """Return the remarks on an approval, oldest first."""
    return [
        Comment(
            name=f"{event.name}/comments/{step.recorded.revision}",
            create_time=to_timestamp(step.recorded.time),
            author=event.author,
            text=event.text.clear,
        )
        for step in steps
        if isinstance(event := step.recorded.event, ApprovalCommented)
    ]


def _fill(message: Approval, request: ApprovalRequested) -> None:
    """Copy what was asked, field by field of the same name."""
    for field in message.DESCRIPTOR.fields:
        own = request.DESCRIPTOR.fields_by_name.get(field.name)
        if own is None or field.name in _TOLD_APART:
            continue
        value = getattr(request, field.name)
        if own.is_repeated:
            getattr(message, field.name).extend(value)
        else:
            setattr(message, field.name, value)


_MEANINGS = {
    record.Meaning.APPROVED: Meaning.MEANING_APPROVED,
    record.Meaning.REJECTED: Meaning.MEANING_REJECTED,
    record.Meaning.REVIEWED: Meaning.MEANING_REVIEWED,
}
_TOLD_APART = frozenset({"quorum", "conditions", "expire_time", "evidence"})


def _tell(message: Approval, step: Step[counting.Approval]) -> None:
    """Add to `message` what one event changed."""
    recorded, time = step.recorded, to_timestamp(step.recorded.time)
    message.update_time.CopyFrom(time)
    match recorded.event:
        case ApprovalRequested():
            message.create_time.CopyFrom(time)
            message.reason = recorded.reason
        case ApprovalSigned() | ApprovalRejected() as event:
            message.signatures.append(_signature(event, recorded))
        case BreakGlassReviewed() as event:
            message.reviews.append(_signature(event, recorded))
        case EvidenceAttached() as event:
            message.evidence.append(_evidence(event, recorded))
        case ApprovalGranted():
            message.grant_time.CopyFrom(time)
        case ApprovalRevoked() | ApprovalSuspended() as event:
            message.end_code = event.code
            if isinstance(event, ApprovalRevoked):
                message.revoke_time.CopyFrom(time)
        case ApprovalVoided() as event:
            message.end_code = event.change
        case ApprovalExpired():
            message.end_code = "expired"


def _seats(state: counting.Approval, people: People) -> Iterable[SeatStanding]:
    for seat in so_far(state, people).verdict().seats:
        yield SeatStanding(
            policy=seat.policy,
            step=seat.step,
            role=seat.role,
            count=seat.count,
            signers=seat.signers,
            is_open=seat.is_open and state.is_open,
        )


def _conditions(state: counting.Approval) -> Iterable[ConditionResult]:
    """Yield what each condition came to at last."""
    for asked in state.request.conditions:
        detail = state.unmet.get(asked.name)
        is_met = asked.name not in state.unmet
        yield ConditionResult(name=asked.name, is_satisfied=is_met, detail=detail or "")


def _evidence(event: EvidenceAttached, recorded: Recorded) -> Evidence:
    return Evidence(
        name=f"{event.name}/evidence/{recorded.revision}",
        create_time=to_timestamp(recorded.time),
        type=event.type,
        artifact=event.artifact,
        claims=event.claims,
        attacher=event.attacher,
    )


def _signature(event: SignatureEvent, recorded: Recorded) -> Signature:
    signed = record_of(event.record)
    signature = Signature(
        signer=event.signer,
        printed_name=event.printed_name.clear,
        meaning=_MEANINGS[signed.meaning],
        sign_time=to_timestamp(sign_time(event)),
        key=event.key,
        public_key=event.public_key,
        record=event.record,
        signature=event.signature,
        revision=recorded.revision,
        reason=bound_reason(event, recorded.envelope.reason),
        step=signed.step,
        role=signed.role,
        delegator=signed.delegator,
        reason_code=signed.reason_code,
    )
    if event.HasField("passkey"):
        signature.passkey.CopyFrom(event.passkey)
    return signature
