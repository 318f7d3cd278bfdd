"""An approval as people read it: seats, conditions, evidence, signatures, remarks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.approval.v1.resources_pb2 import (
    APPROVAL_STATE_OPEN,
    Approval,
    ApprovalState,
    Comment,
    Evidence,
    Meaning,
    SeatStanding,
    Signature,
)
from assay.cli.inbox import target_of
from assay.cli.screen import last, moment, short_version

if TYPE_CHECKING:
    from assay.cli.screen import Screen


def show_approval(screen: "Screen", approval: Approval, comments: Iterable[Comment] = ()) -> None:
    """Print all that is known of an approval."""
    screen.facts(_facts(screen, approval))
    for seat in approval.seats:
        screen.say(f"  {_seat(screen, seat)}")
    for condition in approval.conditions:
        policy, _, name = condition.name.partition("/conditions/")
        met = "met" if condition.is_satisfied else "not met"
        why = f": {condition.detail}" if condition.detail else ""
        screen.say(f"  condition {name} of {_policy(policy)} is {met}{why}")
    for evidence in approval.evidence:
        screen.say(f"  {_evidence(screen, evidence)}")
    for signature in approval.signatures:
        screen.say(f"  {_signature(screen, signature)}")
    tell_reviews(screen, approval)
    for comment in comments:
        who, when = screen.who(comment.author), moment(comment.create_time)
        screen.say(f"  {who} remarked at {when}: {comment.text}")


def tell_reviews(screen: "Screen", approval: Approval) -> None:
    """Print who reviewed a break-glass grant, when, and with which finding."""
    for review in approval.reviews:
        screen.say(f"  {_signature(screen, review)}")


def _facts(screen: "Screen", approval: Approval) -> list[tuple[str, str]]:
    is_open = approval.state == APPROVAL_STATE_OPEN
    state = ApprovalState.Name(approval.state).removeprefix("APPROVAL_STATE_").lower()
    end = moment(approval.expire_time)
    return [
        ("approval", approval.name),
        ("state", f"{state}, {len(approval.signatures)} of {approval.quorum} signed"),
        ("version", short_version(approval.version)),
        ("for", target_of(approval)),
        ("manifest", approval.manifest_digest),
        ("policies", ", ".join(policy.name for policy in approval.policies)),
        ("evidence", approval.evidence_digest),
        ("asked", f"{moment(approval.create_time)} by {screen.who(approval.submitter)}"),
        ("reason", approval.reason),
        ("break-glass", _break_glass(approval)),
        ("granted", moment(approval.grant_time)),
        ("closes" if is_open else "ends", end),
        ("renew from", moment(approval.recertify_time)),
        ("review by", moment(approval.review_due_time)),
        ("revoked", moment(approval.revoke_time)),
        ("ended for", approval.end_code),
    ]


def _break_glass(approval: Approval) -> str:
    code = f" [{approval.reason_code}]" if approval.reason_code else ""
    return f"yes: the steps are passed by{code}" if approval.is_break_glass else ""


def _seat(screen: "Screen", seat: SeatStanding) -> str:
    who = ", ".join(screen.who(signer) for signer in seat.signers)
    missing = seat.count - len(seat.signers)
    state = "complete" if missing <= 0 else "open" if seat.is_open else "waits for the step before"
    signed = f"{len(seat.signers)} of {seat.count} {seat.role or 'of any role'}"
    return f"step {seat.step}: {signed}, {state}" + (f" ({who})" if who else "")


def _evidence(screen: "Screen", evidence: Evidence) -> str:
    claims = ", ".join(f"{key}={evidence.claims[key]}" for key in sorted(evidence.claims))
    parts = [part for part in (claims, evidence.artifact) if part]
    who = f"{screen.who(evidence.attacher)} at {moment(evidence.create_time)}"
    return f"evidence {evidence.type} by {who}: {', '.join(parts)}"


def _signature(screen: "Screen", signature: Signature) -> str:
    verb = Meaning.Name(signature.meaning).removeprefix("MEANING_").lower()
    name = signature.printed_name or screen.who(signature.signer)
    role = f" as {signature.role}" if signature.role else ""
    lent = f" for {screen.who(signature.delegator)}" if signature.delegator else ""
    code = f" [{signature.reason_code}]" if signature.reason_code else ""
    why = f": {signature.reason}" if signature.reason else ""
    return f"{name} {verb}{role}{lent} at {moment(signature.sign_time)}{code}{why}"


def _policy(name: str) -> str:
    """Return `…/policies/production/versions/2` as production/2."""
    return f"{name.split('/')[3]}/{last(name)}" if name.count("/") >= 5 else name  # noqa: PLR2004
