"""What counts on an approval: each event by itself and in its place, whoever wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias, assert_never

from google.protobuf.timestamp_pb2 import Timestamp

from assay import times
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
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval.signatures import Seal, SignatureEvent, covered, record_of, seal_of
from assay_approval.verdict import Act, quorum_of

Event: TypeAlias = (
    ApprovalRequested
    | ApprovalCommented
    | EvidenceAttached
    | ApprovalSigned
    | ApprovalRejected
    | ApprovalWithdrawn
    | ApprovalExpired
    | ApprovalGranted
    | ApprovalSuspended
    | ApprovalResumed
    | ApprovalRevoked
    | ApprovalVoided
    | BreakGlassReviewed
    | RecertificationDue
)

OPEN = ApprovalState.APPROVAL_STATE_OPEN
GRANTED = ApprovalState.APPROVAL_STATE_GRANTED
SUSPENDED = ApprovalState.APPROVAL_STATE_SUSPENDED
IN_FORCE = frozenset({GRANTED, SUSPENDED})


@dataclass(frozen=True, slots=True)
class Approval:
    """What the rules remember: what was asked, each signature that counts, and how it ended.

    `unmet` has the conditions that are not true so far; `ends` is when an open one
    closes, or a grant ends, by its policy.
    """

    request: ApprovalRequested = field(default_factory=ApprovalRequested)
    covers: str = ""
    state: ApprovalState.ValueType = ApprovalState.APPROVAL_STATE_UNSPECIFIED
    signatures: tuple[SignatureEvent, ...] = ()
    evidence: tuple[EvidenceAttached, ...] = ()
    unmet: Mapping[str, str] = field(default_factory=dict)
    ends: datetime | None = None
    review_due: datetime | None = None
    recertify: datetime | None = None
    is_recertification_said: bool = False

    @property
    def name(self) -> str:
        """Resource name, empty before it was asked for."""
        return self.request.name

    @property
    def signers(self) -> tuple[str, ...]:
        """Whoever signed, either way, in order."""
        return tuple(signature.signer for signature in self.signatures)

    @property
    def is_open(self) -> bool:
        """Whether it waits for signatures."""
        return self.state == OPEN

    @property
    def missing(self) -> Mapping[str, str]:
        """The unmet conditions that hold it up: break-glass passes all of them by."""
        return {} if self.request.is_break_glass else self.unmet

    @property
    def acts(self) -> tuple[Act, ...]:
        """The signatures as they are counted, in order."""
        return tuple(act_of(signature) for signature in self.signatures)

    @property
    def quorum(self) -> int:
        """How many distinct people must sign, by what was pinned."""
        is_break_glass = self.request.is_break_glass
        pinned = (quorum_of(s, is_break_glass=is_break_glass) for s in self.request.specs)
        return max(self.request.quorum, *pinned, 1)

    def has_ended(self, at: datetime) -> bool:
        """Return whether its time is over, whether or not that was recorded."""
        return self.ends is not None and at >= self.ends


def act_of(signature: SignatureEvent) -> Act:
    """Return a signature that holds as it is counted."""
    record = record_of(signature.record)
    return Act(
        signer=signature.signer,
        step=record.step,
        role=record.role,
        delegator=record.delegator,
        is_approval=isinstance(signature, ApprovalSigned),
        key=signature.key,
    )


def evolve(state: Approval, event: Event, seal: Seal = seal_of) -> Approval:
    """Return the state after `event`; a signature or a grant that does not hold does not count.

    `seal` tells what was asked for, and what a signature covers; it verifies both, unless a caller
    knows already that they hold.
    """
    match event:
        case ApprovalRequested():
            return _requested(state, event, seal)
        case ApprovalCommented():
            return state
        case EvidenceAttached():
            return _attached(state, event)
        case ApprovalSigned() | ApprovalRejected():
            return _signed(state, event, seal)
        case ApprovalGranted():
            return _granted(state, event)
        case BreakGlassReviewed():
            return replace(state, review_due=None) if reviews(state, event) else state
        case RecertificationDue():
            return replace(state, is_recertification_said=True)
        case ApprovalSuspended():
            return _moved(state, frozenset({GRANTED}), SUSPENDED)
        case ApprovalResumed():
            return _moved(state, frozenset({SUSPENDED}), GRANTED)
        case ApprovalWithdrawn():
            return _moved(state, frozenset({OPEN}), ApprovalState.APPROVAL_STATE_WITHDRAWN)
        case ApprovalRevoked():
            return _moved(state, IN_FORCE, ApprovalState.APPROVAL_STATE_REVOKED)
        case ApprovalExpired():
            return _moved(state, IN_FORCE | {OPEN}, ApprovalState.APPROVAL_STATE_EXPIRED)
        case ApprovalVoided():
            return _moved(state, IN_FORCE | {OPEN}, ApprovalState.APPROVAL_STATE_VOIDED)
    assert_never(event)


def counts(state: Approval, event: SignatureEvent, seal: Seal = seal_of) -> bool:
    """Return whether a signature holds, covers what was asked, and its signer may still sign."""
    is_new = event.signer != state.request.submitter and event.signer not in state.signers
    return state.is_open and is_new and seal(event) == state.covers


def reviews(state: Approval, event: BreakGlassReviewed) -> bool:
    """Return whether a review holds, covers the approval, and is nobody's who signed it."""
    is_other = event.signer != state.request.submitter and event.signer not in state.signers
    return state.review_due is not None and is_other and covered(event) == state.covers


def _requested(state: Approval, event: ApprovalRequested, seal: Seal) -> Approval:
    covers = seal(event)
    if state.name or not covers:
        return state
    unmet = {each.name: each.detail for each in event.conditions if not each.is_satisfied}
    ends = _time(event, "expire_time")
    return Approval(event, covers, OPEN, unmet=unmet, ends=ends)


def _attached(state: Approval, event: EvidenceAttached) -> Approval:
    if not state.is_open:
        return state
    told = {each.name: each for each in event.conditions}
    unmet = {name: detail for name, detail in state.unmet.items() if name not in told}
    asked_for = {each.name for each in state.request.conditions}
    unmet |= {n: told[n].detail for n in asked_for & told.keys() if not told[n].is_satisfied}
    return replace(state, evidence=(*state.evidence, event), unmet=unmet)


def _signed(state: Approval, event: ApprovalSigned | ApprovalRejected, seal: Seal) -> Approval:
    if not counts(state, event, seal):
        return state
    signed = replace(state, signatures=(*state.signatures, event))
    if isinstance(event, ApprovalRejected) and closes(state, event):
        return replace(signed, state=ApprovalState.APPROVAL_STATE_REJECTED)
    return signed


def closes(state: Approval, event: ApprovalRejected) -> bool:
    """Return whether a rejection closes the approval: unless its step survives it everywhere."""
    step = act_of(event).step
    steps = (s for spec in state.request.specs for s in spec.steps if s.id == step)
    survives = [each.survives_rejection for each in steps]
    return not survives or not all(survives)


def _granted(state: Approval, event: ApprovalGranted) -> Approval:
    request = state.request
    is_of_this = (event.version, event.manifest_digest, event.target) == (
        request.version,
        request.manifest_digest,
        request.target,
    )
    approvals = sum(isinstance(each, ApprovalSigned) for each in state.signatures)
    if not state.is_open or not is_of_this or approvals < state.quorum or state.missing:
        return state
    if not times.are_sound(event):
        return state
    return replace(
        state,
        state=GRANTED,
        ends=_time(event, "expire_time"),
        review_due=_time(event, "review_due_time"),
        recertify=_time(event, "recertify_time"),
    )


def _moved(
    state: Approval,
    before: frozenset[ApprovalState.ValueType],
    after: ApprovalState.ValueType,
) -> Approval:
    return replace(state, state=after) if state.state in before else state


def _time(event: ApprovalRequested | ApprovalGranted, name: str) -> datetime | None:
    if not event.HasField(name):  # type: ignore[arg-type]
        return None
    stamp: Timestamp = getattr(event, name)
    return stamp.ToDatetime(tzinfo=UTC)
