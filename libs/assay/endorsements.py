"""Whether a second person's signature puts a proposed key, role or policy in force: one verdict.

Pure: messages in, what is endorsed out. The approval service's rules, its read model, and every
service's view of who may do what ask the same functions.
"""

import hmac
from functools import lru_cache
from typing import assert_never

from assay import times
from assay.approval.v1.events_pb2 import (
    KeyEnrolled,
    KeyProposed,
    PolicyPublished,
    RoleGranted,
    RoleProposed,
)
from assay.approval.v1.resources_pb2 import Endorsement, PasskeyData
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import canonical, digests, dsse, keys, personal, webauthn
from assay_trust.errors import TrustError
from assay_trust.record import (
    ENDORSEMENT_TYPE,
    ENROLMENT_TYPE,
    EndorsementRecord,
    EnrolmentRecord,
    Named,
)


def endorsed(endorsement: Endorsement) -> Named | None:
    """Return what an endorsement puts in force, None where it does not hold."""
    try:
        record = EndorsementRecord.from_bytes(endorsement.record)
        verify(
            endorsement.public_key,
            ENDORSEMENT_TYPE,
            endorsement.record,
            endorsement.signature,
            endorsement.passkey,
        )
    except TrustError:
        return None
    agrees = (
        (record.signer, record.key) == (endorsement.signer, endorsement.key)
        and record.key.endswith(f"/keys/{keys.key_id(endorsement.public_key)}")
        and is_bound(endorsement.printed_name, record.printed_name_commitment)
    )
    return record.subject if agrees else None


def role_subject(event: RoleProposed | RoleGranted) -> Named:
    """Return what an endorsement of a role is about."""
    value = {"name": event.name, "role": event.role, "scope": event.scope}
    return Named(event.name, digests.sha256(canonical.encode(value)))


def key_subject(event: KeyProposed | KeyEnrolled) -> Named:
    """Return what an endorsement of a key is about."""
    return Named(event.name, digests.sha256(event.record))


def is_endorsed(event: KeyEnrolled | RoleGranted | PolicyPublished) -> bool:
    """Return whether the endorsement in an event holds, and is of what the event puts in force."""
    try:
        return endorsed(event.endorsement) == _subject(event)
    except TrustError:
        return False


def is_in_force(event: RoleGranted) -> bool:
    """Return whether a role was given rightly: at the founding, lent, or with an endorsement."""
    if not times.are_sound(event):
        return False
    return event.founding or bool(event.delegator) or is_endorsed(event)


def _subject(event: KeyEnrolled | RoleGranted | PolicyPublished) -> Named:
    match event:
        case KeyEnrolled():
            return key_subject(event)
        case RoleGranted():
            return role_subject(event)
        case PolicyPublished():
            return Named(event.name, event.digest)
    assert_never(event)


def is_proven(event: KeyEnrolled | KeyProposed) -> bool:
    """Return whether the holder of the key itself signed that it is this principal's."""
    try:
        record = EnrolmentRecord.from_bytes(event.record)
        verify(event.public_key, ENROLMENT_TYPE, event.record, event.signature, event.passkey)
    except TrustError:
        return False
    same_key = hmac.compare_digest(record.public_key, event.public_key.hex())
    return record.key == event.name and same_key


def is_bound(text: PersonalText, commitment: str) -> bool:
    """Return whether a record with `commitment` binds this text; both may be absent."""
    if text.commitment.hex() != commitment:
        return False
    if not text.clear:
        return True
    return bool(commitment) and personal.matches(text.clear, text.salt, text.commitment)


def verify(
    public_key: bytes, payload_type: str, record: bytes, signature: bytes, passkey: PasskeyData
) -> None:
    """Raise a TrustError unless the key signed the record, as a file's key or as a passkey."""
    fault = _fault(public_key, payload_type, record, signature, passkey.SerializeToString())
    if fault is not None:
        raise fault


@lru_cache(maxsize=16_384)  # each read of an approval asks again about the same signatures
def _fault(
    public_key: bytes, payload_type: str, record: bytes, signature: bytes, passkey: bytes
) -> TrustError | None:
    try:
        if passkey:
            _verify_passkey(public_key, payload_type, record, signature, passkey)
        else:
            dsse.verify(public_key, payload_type, record, signature)
    except TrustError as error:
        return error.with_traceback(None)
    return None


def _verify_passkey(
    public_key: bytes, payload_type: str, record: bytes, signature: bytes, passkey: bytes
) -> None:
    data = PasskeyData.FromString(passkey)
    webauthn.verify_assertion(
        public_key,
        record,
        payload_type,
        authenticator_data=data.authenticator_data,
        client_data_json=data.client_data_json,
        signature=signature,
        rp_id=data.rp_id,
        origin=data.origin,
    )
