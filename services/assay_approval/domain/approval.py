"""An approval: asked for once, signed by others step by step, granted, and ended."""

from collections.abc import Sequence
from typing import assert_never

from assay.approval.v1.events_pb2 import (
    ApprovalCommented,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalResumed,
    ApprovalRevoked,
    ApprovalSigned,
    ApprovalSuspended,
    ApprovalVoided,
    ApprovalWithdrawn,
    BreakGlassReviewed,
    EvidenceAttached,
    RecertificationDue,
)
from assay_approval.domain import ending, requesting, signature
from assay_approval.domain.commands import (
    Attach,
    Command,
    Comment,
    Expire,
    Reject,
    Remind,
    Request,
    Resume,
    Review,
    Revoke,
    Sign,
    Suspend,
    Void,
    Withdraw,
)
from assay_approval.domain.counting import Approval, Event, evolve
from assay_events.decider import Decider


def decide(command: Command, state: Approval) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal if a rule forbids it."""
    match command:
        case Request():
            return requesting.request(command, state)
        case Comment():
            return requesting.comment(command, state)
        case Attach():
            return requesting.attach(command, state)
        case Sign():
            return signature.sign(command, state)
        case Reject():
            return signature.reject(command, state)
        case Review():
            return signature.review(command, state)
        case Withdraw():
            return ending.withdraw(command, state)
        case Revoke():
            return ending.revoke(command, state)
        case Suspend():
            return ending.suspend(command, state)
        case Resume():
            return ending.resume(command, state)
        case Expire():
            return ending.expire(command, state)
        case Remind():
            return ending.remind(command, state)
        case Void():
            return ending.void(command, state)
    assert_never(command)


APPROVAL: Decider[Command, Approval, Event] = Decider(
    context="approval",
    aggregate="approval",
    initial=Approval(),
    decide=decide,
    evolve=evolve,
    events=(
        ApprovalRequested,
        ApprovalCommented,
        EvidenceAttached,
        ApprovalSigned,
        ApprovalRejected,
        ApprovalWithdrawn,
        ApprovalExpired,
        ApprovalGranted,
        ApprovalSuspended,
        ApprovalResumed,
        ApprovalRevoked,
        ApprovalVoided,
        BreakGlassReviewed,
        RecertificationDue,
    ),
)
