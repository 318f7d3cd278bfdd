"""What counts on an approval: each event by itself and in its place, whoever wrote it."""

from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
)
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval.signatures import SignatureEvent, asked, covered

Event: TypeAlias = (
    ApprovalRequested | ApprovalSigned | ApprovalRejected | ApprovalGranted | ApprovalRevoked
)


@dataclass(frozen=True, slots=True)
class Approval:
    """What the rules remember: what was asked, and each signature that counts."""

    request: ApprovalRequested = field(default_factory=ApprovalRequested)
    covers: str = ""
    state: ApprovalState.ValueType = ApprovalState.APPROVAL_STATE_UNSPECIFIED
    signatures: tuple[SignatureEvent, ...] = ()

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
        return self.state == ApprovalState.APPROVAL_STATE_OPEN


def evolve(state: Approval, event: Event) -> Approval:
    """Return the state after `event`; a signature or a grant that does not hold does not count."""
    match event:
        case ApprovalRequested():
            return _requested(state, event)
        case ApprovalSigned():
            return _signed(state, event)
        case ApprovalRejected():
            return _rejected(state, event)
        case ApprovalGranted():
            return _granted(state, event)
        case ApprovalRevoked():
            return _revoked(state)
    assert_never(event)


def counts(state: Approval, event: SignatureEvent) -> bool:
    """Return whether a signature holds, covers what was asked, and its signer may still sign."""
    is_new = event.signer != state.request.submitter and event.signer not in state.signers
    return state.is_open and is_new and covered(event) == state.covers


def _requested(state: Approval, event: ApprovalRequested) -> Approval:
    covers = asked(event)
    if state.name or not covers:
        return state
    return Approval(event, covers, ApprovalState.APPROVAL_STATE_OPEN)


def _signed(state: Approval, event: ApprovalSigned) -> Approval:
    if not counts(state, event):
        return state
    return replace(state, signatures=(*state.signatures, event))


def _rejected(state: Approval, event: ApprovalRejected) -> Approval:
    if not counts(state, event):
        return state
    rejected = ApprovalState.APPROVAL_STATE_REJECTED
    return replace(state, signatures=(*state.signatures, event), state=rejected)


def _granted(state: Approval, event: ApprovalGranted) -> Approval:
    request = state.request
    is_of_this = (event.version, event.manifest_digest, event.target) == (
        request.version,
        request.manifest_digest,
        request.target,
    )
    if not state.is_open or not is_of_this or len(state.signatures) < request.quorum:
        return state
    return replace(state, state=ApprovalState.APPROVAL_STATE_GRANTED)


def _revoked(state: Approval) -> Approval:
    if state.state != ApprovalState.APPROVAL_STATE_GRANTED:
        return state
    return replace(state, state=ApprovalState.APPROVAL_STATE_REVOKED)
