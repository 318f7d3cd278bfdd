"""What most rules of an approval ask first: is it there, is it open, is it in time."""

from datetime import datetime

from assay.approval.v1.resources_pb2 import ApprovalState
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.domain.counting import Approval
from assay_events.decider import NotFound, Rejection


def existing(approval: str, state: Approval) -> None:
    """Refuse what is about an approval that nobody asked for."""
    if not state.name:
        raise NotFound(approval, "Request the approval first.")


def check_open(approval: str, state: Approval, at: datetime) -> None:
    """Refuse what only an open approval takes."""
    existing(approval, state)
    if not state.is_open:
        words = f"Request a new approval: this one is {word(state)}."
        raise Rejection(Reason.REASON_NOT_OPEN, words, state=word(state))
    check_time(state, at)


def check_time(state: Approval, at: datetime) -> None:
    """Refuse what comes after the end that the policy set."""
    if state.has_ended(at):
        words = "Request a new approval: the time of this one is over."
        raise Rejection(Reason.REASON_EXPIRED, words)


def word(state: Approval) -> str:
    """Return the state in a word: `open`."""
    return ApprovalState.Name(state.state).removeprefix("APPROVAL_STATE_").lower()
