"""Whether a signature holds and what it covers: one verdict, for the rules and for the read model.

Pure: a message in, a digest out. Rules and projection may not import each other; both import this.
"""

import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from assay.approval.v1.events_pb2 import (
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    KeyEnrolled,
)
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import canonical, digests, dsse, keys, personal
from assay_trust.errors import TrustError
from assay_trust.record import (
    ENROLMENT_TYPE,
    SIGNATURE_TYPE,
    EnrolmentRecord,
    Meaning,
    Named,
    SigningRecord,
)

SignatureEvent: TypeAlias = ApprovalSigned | ApprovalRejected


def asked(event: ApprovalRequested) -> str:
    """Return the digest of what a signature on this approval must cover, empty where none can."""
    try:
        policies = [Named(policy.name, policy.digest) for policy in event.policies]
        subject = Named(event.version, event.manifest_digest)
        if not policies or event.quorum < 1:
            return ""
        return _digest(event.name, event.nonce, subject, event.target, policies)
    except TrustError:
        return ""


def covered(event: SignatureEvent) -> str:
    """Return the digest of what the signature covers, empty where the signature does not hold."""
    try:
        record = SigningRecord.from_bytes(event.record)
        dsse.verify(event.public_key, SIGNATURE_TYPE, event.record, event.signature)
        agrees = (
            (record.approval, record.signer, record.key) == (event.name, event.signer, event.key)
            and record.key.endswith(f"/keys/{keys.key_id(event.public_key)}")
            and record.meaning is meaning(event)
            and is_bound(event.printed_name, record.printed_name_commitment)
        )
        if not agrees:
            return ""
        named = (record.approval, record.nonce, record.subject, record.target, record.policies)
        return _digest(*named)
    except TrustError:
        return ""


def meaning(event: SignatureEvent) -> Meaning:
    """Return what a signature in this event must mean."""
    return Meaning.APPROVED if isinstance(event, ApprovalSigned) else Meaning.REJECTED


def sign_time(event: SignatureEvent) -> datetime:
    """Return when the signer signed, as the record of a signature that holds says."""
    return SigningRecord.from_bytes(event.record).time


def is_bound(text: PersonalText, commitment: str) -> bool:
    """Return whether a record with `commitment` binds this text; both may be absent."""
    if text.commitment.hex() != commitment:
        return False
    if not text.clear:
        return True
    return bool(commitment) and personal.matches(text.clear, text.salt, text.commitment)


def bound_reason(event: SignatureEvent, reason: PersonalText) -> str:
    """Return the reason in the clear where the record of `event` binds it, else nothing."""
    try:
        commitment = SigningRecord.from_bytes(event.record).reason_commitment
        return reason.clear if is_bound(reason, commitment) else ""
    except TrustError:
        return ""


def is_proven(event: KeyEnrolled) -> bool:
    """Return whether the holder of the key itself signed that it is this principal's."""
    try:
        record = EnrolmentRecord.from_bytes(event.record)
        dsse.verify(event.public_key, ENROLMENT_TYPE, event.record, event.signature)
    except TrustError:
        return False
    same_key = hmac.compare_digest(record.public_key, event.public_key.hex())
    return record.key == event.name and same_key


def policy_digest(spec: PolicySpec) -> str:
    """Return the digest of the canonical JSON of a policy."""
    return digests.sha256(
        canonical.encode(
            {
                "models": list(spec.models),
                "stages": list(spec.stages),
                "aliases": list(spec.aliases),
                "quorum": str(spec.quorum),
                "description": spec.description,
            }
        )
    )


def is_sealed(spec: PolicySpec, digest: str) -> bool:
    """Return whether `digest` is that of the policy."""
    try:
        return policy_digest(spec) == digest
    except TrustError:
        return False


def _digest(
    approval: str, nonce: str, subject: Named, target: str, policies: Iterable[Named]
) -> str:
    """Return one digest over all that ties a signature to its approval."""
    pinned = [{"name": policy.name, "digest": policy.digest} for policy in policies]
    value: canonical.Value = {
        "approval": approval,
        "nonce": nonce,
        "subject": {"name": subject.name, "digest": subject.digest},
        "target": target,
        "policies": pinned,
    }
    return digests.sha256(canonical.encode(value))
