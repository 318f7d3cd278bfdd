"""Resources as answers to writes show them: told from the aggregate's events, not from tables."""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.approval.v1.events_pb2 import (
    ApprovalRejected,
    ApprovalSigned,
    KeyEnrolled,
    KeyRevoked,
    PolicyPublished,
    PrincipalCreated,
)
from assay.approval.v1.resources_pb2 import (
    Approval,
    ApprovalState,
    Key,
    Meaning,
    Policy,
    Principal,
    Signature,
)
from assay_approval.domain import counting, policies, principal
from assay_approval.service.parts import Step
from assay_approval.signatures import SignatureEvent, bound_reason, sign_time
from assay_events.envelope import Recorded


def to_principal(steps: Sequence[Step[principal.Principal]]) -> Principal:
    """Return a principal with its keys."""
    message, keys = Principal(), dict[str, Key]()
    for step in steps:
        event, recorded = step.recorded.event, step.recorded
        if step.state == step.before:
            continue
        match event:
            case PrincipalCreated():
                message.name, message.kind = event.name, event.kind
                message.etag = f'"{recorded.revision}"'
                message.create_time.CopyFrom(to_timestamp(recorded.time))
                message.printed_name = event.printed_name.clear
                message.login = event.login.clear
            case KeyEnrolled():
                keys[event.name] = Key(
                    name=event.name,
                    public_key=event.public_key,
                    create_time=to_timestamp(recorded.time),
                )
            case KeyRevoked():
                keys[event.name].revoke_time.CopyFrom(to_timestamp(recorded.time))
    message.keys.extend(keys.values())
    return message


def to_policy(steps: Sequence[Step[policies.Policies]], name: str) -> Policy:
    """Return a policy at its newest version."""
    for step in reversed(steps):
        event = step.recorded.event
        version = step.state.newest.get(name)
        if isinstance(event, PolicyPublished) and version and version.name == event.name:
            return Policy(
                name=name,
                etag=f'"{step.recorded.revision}"',
                create_time=to_timestamp(step.recorded.time),
                number=event.number,
                spec=event.spec,
                digest=event.digest,
            )
    return Policy()


def to_approval(steps: Sequence[Step[counting.Approval]]) -> Approval:
    """Return an approval with the signatures that count."""
    state, message = steps[-1].state, Approval()
    request = state.request
    for step in steps:
        if step.state != step.before:
            _tell(message, step)
    message.MergeFrom(
        Approval(
            name=request.name,
            etag=f'"{steps[-1].recorded.revision}"',
            state=state.state,
            version=request.version,
            target=request.target,
            manifest_digest=request.manifest_digest,
            policies=request.policies,
            quorum=request.quorum,
            submitter=request.submitter,
            nonce=request.nonce,
        )
    )
    return message


def _tell(message: Approval, step: Step[counting.Approval]) -> None:
    """Add to `message` what one event changed."""
    recorded, time = step.recorded, to_timestamp(step.recorded.time)
    message.update_time.CopyFrom(time)
    match recorded.event:
        case ApprovalSigned() | ApprovalRejected() as event:
            message.signatures.append(_signature(event, recorded))
    match step.state.state:
        case ApprovalState.APPROVAL_STATE_GRANTED:
            message.grant_time.CopyFrom(time)
        case ApprovalState.APPROVAL_STATE_REVOKED:
            message.revoke_time.CopyFrom(time)
    if not step.before.name:
        message.create_time.CopyFrom(time)
        message.reason = recorded.reason


def _signature(event: SignatureEvent, recorded: Recorded) -> Signature:
    is_approval = isinstance(event, ApprovalSigned)
    return Signature(
        signer=event.signer,
        printed_name=event.printed_name.clear,
        meaning=Meaning.MEANING_APPROVED if is_approval else Meaning.MEANING_REJECTED,
        sign_time=to_timestamp(sign_time(event)),
        key=event.key,
        public_key=event.public_key,
        record=event.record,
        signature=event.signature,
        revision=recorded.revision,
        reason=bound_reason(event, recorded.envelope.reason),
    )


def to_timestamp(time: datetime) -> Timestamp:
    """Return a time as protobuf has it."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
