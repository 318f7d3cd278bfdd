"""The rules of how an approval ends: withdrawn, expired, suspended, revoked, or void."""

from collections.abc import Sequence
from typing import TypeAlias

from assay.approval.v1.events_pb2 import (
    ApprovalExpired,
    ApprovalResumed,
    ApprovalRevoked,
    ApprovalSuspended,
    ApprovalVoided,
    ApprovalWithdrawn,
    RecertificationDue,
)
from assay.approval.v1.resources_pb2 import OnEnd
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.commands import (
    Expire,
    Remind,
    Resume,
    Revoke,
    Suspend,
    Void,
    Withdraw,
)
from assay_approval.domain.counting import GRANTED, IN_FORCE, OPEN, SUSPENDED, Approval
from assay_approval.domain.signing import check_reason, check_reason_code
from assay_approval.domain.state import check_time, existing, word
from assay_events.decider import Forbidden, Rejection

_ByPerson: TypeAlias = Revoke | Suspend | Resume


def withdraw(command: Withdraw, state: Approval) -> Sequence[ApprovalWithdrawn]:
    """Take an open approval back, by who asked for it."""
    existing(command.approval, state)
    check_reason(command.reason)
    if command.actor != state.request.submitter:
        words = "Ask whoever submitted the approval to withdraw it, or reject it."
        raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
    if state.state != OPEN:
        words = f"Withdraw approvals that are open; this one is {word(state)}."
        raise Rejection(Reason.REASON_NOT_OPEN, words, state=word(state))
    return [ApprovalWithdrawn(name=state.name)]


def revoke(command: Revoke, state: Approval) -> Sequence[ApprovalRevoked]:
    """Take a grant back for ever."""
    _check_person(command, state)
    check_reason_code(command.code, state.request.specs)
    _check_state(state, IN_FORCE, "Revoke approvals that are granted")
    revoked = ApprovalRevoked(
        name=state.name,
        version=state.request.version,
        target=state.request.target,
        previous_state=state.state,
        code=command.code,
        on_end=_on_end(state),
    )
    return [revoked]


def suspend(command: Suspend, state: Approval) -> Sequence[ApprovalSuspended]:
    """Put a grant out of force for a while."""
    _check_person(command, state)
    check_reason_code(command.code, state.request.specs)
    _check_state(state, frozenset({GRANTED}), "Suspend approvals that are granted")
    suspended = ApprovalSuspended(
        name=state.name,
        version=state.request.version,
        target=state.request.target,
        code=command.code,
        on_end=_on_end(state),
    )
    return [suspended]


def resume(command: Resume, state: Approval) -> Sequence[ApprovalResumed]:
    """Put a suspended grant in force again, within its time."""
    _check_person(command, state)
    _check_state(state, frozenset({SUSPENDED}), "Resume approvals that are suspended")
    check_time(state, command.at)
    resumed = ApprovalResumed(
        name=state.name,
        version=state.request.version,
        target=state.request.target,
        manifest_digest=state.request.manifest_digest,
    )
    return [resumed]


def expire(command: Expire, state: Approval) -> Sequence[ApprovalExpired]:
    """Record that the time of an approval is over; nothing where it is not, or it ended before."""
    if state.ends is None or not state.has_ended(command.at):
        return []
    if state.state not in IN_FORCE and state.state != OPEN:
        return []
    expired = ApprovalExpired(
        name=state.name,
        version=state.request.version,
        target=state.request.target,
        previous_state=state.state,
        on_end=_on_end(state),
    )
    expired.expire_time.FromDatetime(state.ends)
    return [expired]


def remind(command: Remind, state: Approval) -> Sequence[RecertificationDue]:
    """Record, once, that a grant is to be renewed."""
    is_due = state.recertify is not None and command.at >= state.recertify
    if not is_due or state.is_recertification_said or state.state not in IN_FORCE:
        return []
    due = RecertificationDue(name=state.name)
    if state.ends is not None:
        due.expire_time.FromDatetime(state.ends)
    return [due]


def void(command: Void, state: Approval) -> Sequence[ApprovalVoided]:
    """Note that what the approval is about changed; nothing where it has ended."""
    if state.state not in IN_FORCE and state.state != OPEN:
        return []
    voided = ApprovalVoided(
        name=state.name,
        version=state.request.version,
        target=state.request.target,
        previous_state=state.state,
        change=command.change,
        on_end=_on_end(state),
    )
    return [voided]


def _check_person(command: _ByPerson, state: Approval) -> None:
    existing(command.approval, state)
    if command.kind != ActorKind.ACTOR_KIND_HUMAN:
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, "Let a person do this.")
    if not command.may_end:
        where = state.request.target
        words = f"Ask for approver:<role> or policy-admin at {where}, or let the owner do it."
        raise Forbidden(Reason.REASON_ROLE_REQUIRED, words, target=where)
    check_reason(command.reason)


def _check_state(state: Approval, wanted: frozenset[int], advice: str) -> None:
    if state.state not in wanted:
        words = f"{advice}; this one is {word(state)}."
        raise Rejection(Reason.REASON_NOT_GRANTED, words, state=word(state))


def _on_end(state: Approval) -> OnEnd.ValueType:
    """Return what becomes of the target: out, unless each policy says otherwise."""
    said = {spec.on_end for spec in state.request.specs}
    return OnEnd.ON_END_PREVIOUS if said == {OnEnd.ON_END_PREVIOUS} else OnEnd.ON_END_OUT
