"""What is wrong with the signatures and digests in an event, as far as the event itself tells.

Pure. Whether a key might sign just then, or a role was its holder's, no event tells: `verdict`.
"""

from typing import TypeAlias

from google.protobuf.message import Message

from assay import times
from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    BreakGlassReviewed,
    KeyEnrolled,
    KeyProposed,
    PolicyPublished,
    RoleGranted,
)
from assay.endorsements import is_bound, is_endorsed, is_in_force, is_proven, verify
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_events.envelope import Recorded
from assay_trust import digests, keys
from assay_trust.errors import TrustError
from assay_trust.record import SIGNATURE_TYPE, Meaning, SigningRecord

Signed: TypeAlias = ApprovalSigned | ApprovalRejected | BreakGlassReviewed


def defect(recorded: Recorded) -> str:
    """Return what is wrong with an event, empty for nothing."""
    match recorded.event:
        case ApprovalSigned() | ApprovalRejected() | BreakGlassReviewed() as event:
            return _signature_defect(event, recorded.envelope.deployment)
        case ApprovalRequested() as event:
            return _request_defect(event)
        case KeyProposed() | KeyEnrolled() | RoleGranted() | PolicyPublished() as event:
            return _endorsement_defect(event)
        case ApprovalGranted() as event:
            return _time_defect(event)
    return ""


def meaning(event: Signed) -> Meaning:
    """Return what the signature in an event must mean."""
    match event:
        case ApprovalSigned():
            return Meaning.APPROVED
        case ApprovalRejected():
            return Meaning.REJECTED
        case BreakGlassReviewed():
            return Meaning.REVIEWED


def bound_reason(reason: PersonalText, record: SigningRecord) -> str:
    """Return the reason if the signer signed it, else nothing."""
    try:
        return reason.clear if is_bound(reason, record.reason_commitment) else ""
    except TrustError:
        return ""


def _signature_defect(event: Signed, deployment: str) -> str:
    try:
        verify(event.public_key, SIGNATURE_TYPE, event.record, event.signature, event.passkey)
        record = SigningRecord.from_bytes(event.record)
        is_name_bound = is_bound(event.printed_name, record.printed_name_commitment)
    except TrustError as error:
        return f"its signature does not hold: {error}"
    said = (record.deployment, record.approval, record.signer, record.key, record.meaning)
    is_own = record.key.endswith(f"/{keys.key_id(event.public_key)}")
    if not is_own or said != (deployment, event.name, event.signer, event.key, meaning(event)):
        return "its signature covers another record."
    return "" if is_name_bound else "its printed name is not the one that was signed."


def _request_defect(event: ApprovalRequested) -> str:
    """Return what is wrong with what signers are asked to cover."""
    if (event.evidence or event.evidence_digest) and (
        digests.sha256(event.evidence) != event.evidence_digest
    ):
        return "its evidence is not what its digest says."
    return _time_defect(event)


def _endorsement_defect(event: KeyProposed | KeyEnrolled | RoleGranted | PolicyPublished) -> str:
    """Return why nobody could put this in force, whoever signed."""
    if isinstance(event, KeyProposed | KeyEnrolled) and not is_proven(event):
        return "the key did not sign its own enrolment."
    if isinstance(event, RoleGranted):
        return "" if is_in_force(event) else "its endorsement does not hold."
    if isinstance(event, KeyEnrolled | PolicyPublished):
        is_backed = event.founding or is_endorsed(event)
        return "" if is_backed else "its endorsement does not hold."
    return ""


def _time_defect(event: Message) -> str:
    return "" if times.are_sound(event) else "it tells a time that no calendar has."
