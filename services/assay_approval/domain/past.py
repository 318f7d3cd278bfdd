"""The past of an approval up to its decision, from events that were verified before."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from assay.approval.v1.events_pb2 import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    ApprovalVoided,
    ApprovalWithdrawn,
    EvidenceAttached,
)
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval.domain.counting import GRANTED, OPEN, Approval, Event, evolve
from assay_approval.domain.requesting import claims_of
from assay_approval.signatures import Seal, SignatureEvent
from assay_approval.verdict import Act

# Whatever else may happen comes after the decision, or changes nothing of it.
DECIDING = (
    ApprovalRequested,
    EvidenceAttached,
    ApprovalSigned,
    ApprovalRejected,
    ApprovalGranted,
    ApprovalWithdrawn,
    ApprovalExpired,
    ApprovalVoided,
)
_COVERED = ("approval", "nonce", "subject", "target", "policies", "evidence_digest")
_REJECTED = ApprovalState.APPROVAL_STATE_REJECTED


@dataclass(frozen=True, slots=True)
class Told:
    """An event that counts where it fits; `holds` says that its signature, or request, is sound."""

    event: Event
    revision: int
    time: datetime
    holds: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What was asked for, what was signed and brought forward, and what that came to.

    `decided` is the event that closed it, None where it is open.
    """

    request: ApprovalRequested
    acts: tuple[Act, ...]
    claims: Mapping[str, Mapping[str, str]]
    outcome: ApprovalState.ValueType
    decided: Told | None = None


def replay(events: Iterable[Told]) -> Past:
    """Return the past that the rules tell of these events, in their order."""
    state = Approval()
    for each in events:
        before, state = state, evolve(state, each.event, _SEALS[each.holds])
        if before.is_open and not state.is_open:
            return _past(state, each)
    return _past(state, None)


def _past(state: Approval, decided: Told | None) -> Past:
    """Return what counts: granted whatever came later, rejected, or open where neither."""
    outcome = state.state if state.state in (GRANTED, _REJECTED) else OPEN
    acts = tuple(_act(signature) for signature in state.signatures)
    return Past(state.request, acts, claims_of(state.evidence), outcome, decided)


def _seal(event: ApprovalRequested | SignatureEvent) -> str:
    """Return what was asked for, or is covered by a signature, in words that are equal or not."""
    if isinstance(event, ApprovalRequested):
        policies = [{"digest": each.digest, "name": each.name} for each in event.policies]
        subject = {"digest": event.manifest_digest, "name": event.version}
        asked = (event.name, event.nonce, subject, event.target, policies, event.evidence_digest)
        return repr(asked)
    record = _read(event.record)
    return repr(tuple(record[field] for field in _COVERED))


def _no_seal(_: ApprovalRequested | SignatureEvent) -> str:
    return ""


_SEALS: Mapping[bool, Seal] = {True: _seal, False: _no_seal}


@lru_cache(maxsize=64)  # each is read twice, soon after another
def _read(record: bytes) -> Mapping[str, str]:
    """Return the fields of a record that was verified, and so is canonical."""
    found: Mapping[str, str] = json.loads(record)
    return found


def _act(signature: SignatureEvent) -> Act:
    """Return a signature as it is counted, from a record that was verified."""
    record = _read(signature.record)
    return Act(
        signer=signature.signer,
        step=record["step"],
        role=record["role"],
        delegator=record["delegator"],
        is_approval=isinstance(signature, ApprovalSigned),
        key=signature.key,
    )
