"""Whether a signature holds and what it covers: one verdict, for the rules and for the read model.

Pure: a message in, a digest out. Rules and projection may not import each other; both import this.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias, assert_never

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from assay import times
from assay.approval.v1.events_pb2 import (
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    BreakGlassReviewed,
    PolicyProposed,
    PolicyPublished,
)
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.endorsements import is_bound, verify
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import canonical, digests, keys
from assay_trust.errors import TrustError
from assay_trust.record import (
    SIGNATURE_TYPE,
    Meaning,
    Named,
    SigningRecord,
)

SignatureEvent: TypeAlias = ApprovalSigned | ApprovalRejected | BreakGlassReviewed
Seal: TypeAlias = Callable[[ApprovalRequested | SignatureEvent], str]


def seal_of(event: ApprovalRequested | SignatureEvent) -> str:
    """Return the digest of what was asked for, or of what a signature covers, empty for neither."""
    return asked(event) if isinstance(event, ApprovalRequested) else covered(event)


def asked(event: ApprovalRequested) -> str:
    """Return the digest of what a signature on this approval must cover, empty where none can."""
    try:
        policies = [Named(policy.name, policy.digest) for policy in event.policies]
        subject = Named(event.version, event.manifest_digest)
        if not policies or event.quorum < 1 or not times.are_sound(event):
            return ""
        if event.evidence_digest != digests.sha256(event.evidence):
            return ""
        return _digest(
            event.name, event.nonce, subject, event.target, policies, event.evidence_digest
        )
    except TrustError:
        return ""


def covered(event: SignatureEvent) -> str:
    """Return the digest of what the signature covers, empty where the signature does not hold."""
    try:
        record = record_of(event.record)
        verify(event.public_key, SIGNATURE_TYPE, event.record, event.signature, event.passkey)
        agrees = (
            (record.approval, record.signer, record.key) == (event.name, event.signer, event.key)
            and record.key.endswith(f"/keys/{keys.key_id(event.public_key)}")
            and record.meaning is meaning(event)
            and is_bound(event.printed_name, record.printed_name_commitment)
        )
        if not agrees:
            return ""
        return _digest(
            record.approval,
            record.nonce,
            record.subject,
            record.target,
            record.policies,
            record.evidence_digest,
        )
    except TrustError:
        return ""


@lru_cache(maxsize=16_384)  # each read of an approval asks again about the same signatures
def record_of(record: bytes) -> SigningRecord:
    """Return what was signed; raise a TrustError where it is no signing record."""
    return SigningRecord.from_bytes(record)


def meaning(event: SignatureEvent) -> Meaning:
    """Return what a signature in this event must mean."""
    match event:
        case ApprovalSigned():
            return Meaning.APPROVED
        case ApprovalRejected():
            return Meaning.REJECTED
        case BreakGlassReviewed():
            return Meaning.REVIEWED
    assert_never(event)


def sign_time(event: SignatureEvent) -> datetime:
    """Return when the signer signed, as the record of a signature that holds says."""
    return record_of(event.record).time


def bound_reason(event: SignatureEvent, reason: PersonalText) -> str:
    """Return the reason in the clear where the record of `event` binds it, else nothing."""
    try:
        commitment = record_of(event.record).reason_commitment
        return reason.clear if is_bound(reason, commitment) else ""
    except TrustError:
        return ""


def policy_subject(event: PolicyProposed | PolicyPublished) -> Named:
    """Return what an endorsement of a version of a policy is about."""
    return Named(event.name, event.digest)


def policy_digest(spec: PolicySpec) -> str:
    """Return the digest of the canonical JSON of a policy: of all that it sets."""
    return digests.sha256(canonical.encode(_set(spec)))


def is_sealed(spec: PolicySpec, digest: str) -> bool:
    """Return whether `digest` is that of the policy."""
    try:
        return policy_digest(spec) == digest
    except TrustError:
        return False


def _digest(
    approval: str,
    nonce: str,
    subject: Named,
    target: str,
    policies: Iterable[Named],
    evidence_digest: str,
) -> str:
    """Return one digest over all that ties a signature to its approval."""
    pinned = [{"name": policy.name, "digest": policy.digest} for policy in policies]
    value: canonical.Value = {
        "approval": approval,
        "nonce": nonce,
        "subject": {"name": subject.name, "digest": subject.digest},
        "target": target,
        "policies": pinned,
        "evidence_digest": evidence_digest,
    }
    return digests.sha256(canonical.encode(value))


def _set(message: Message) -> dict[str, canonical.Value]:
    """Return the fields of a message that are set: numbers as text, a map as its sorted entries."""
    return {field.name: _plain(field, value) for field, value in message.ListFields()}


def _plain(field: FieldDescriptor, value: Any) -> canonical.Value:  # noqa: ANN401 - of any field
    """Return the value of one field, each item of a repeated one."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return [{"key": key, "value": value[key]} for key in sorted(value)]
    if field.is_repeated:
        return [_single(field, item) for item in value]
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> canonical.Value:  # noqa: ANN401 - of any field
    if field.message_type is not None:
        return _set(value)
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return value if isinstance(value, str | bool) else str(value)
