"""The rules of an endorsement: another person signs before a change takes effect."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from assay.approval.v1.resources_pb2 import Endorsement, PasskeyData
from assay.endorsements import endorsed
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain.signing import (
    CLOCK_TOLERANCE,
    Signer,
    bad_signature,
    check_signer,
    enrolled_key,
    stale_record,
)
from assay_events.decider import Forbidden, Invalid
from assay_trust.errors import TrustError
from assay_trust.record import EndorsementRecord, Named


@dataclass(frozen=True, slots=True)
class Endorsing:
    """An endorsement as it came, and what it is judged by."""

    signer: Signer
    record: bytes
    signature: bytes
    passkey: PasskeyData
    printed_name: PersonalText
    deployment: str
    at: datetime
    may_endorse: bool


def endorse(asked: Endorsing, subject: Named, barred: Iterable[str]) -> Endorsement:
    """Return the endorsement of `subject`; refuse those who proposed it or have the good of it."""
    check_signer(asked.signer)
    if not asked.signer.accounts.isdisjoint(barred):
        words = "Ask another person to endorse it: you proposed it, or it is about you."
        raise Forbidden(Reason.REASON_SELF_ENDORSEMENT, words)
    if not asked.may_endorse:
        words = "Ask an approver, a policy-admin or an admin to endorse it."
        raise Forbidden(Reason.REASON_ROLE_REQUIRED, words)
    record = _read(asked)
    endorsement = Endorsement(
        signer=record.signer,
        key=record.key,
        public_key=enrolled_key(asked.signer, record.key),
        record=asked.record,
        signature=asked.signature,
        printed_name=asked.printed_name,
    )
    if asked.passkey.ListFields():
        endorsement.passkey.CopyFrom(asked.passkey)
    if endorsed(endorsement) != subject:
        raise bad_signature(
            "Sign what PrepareEndorsement gives for this proposal; the signature does not fit it."
        )
    return endorsement


def _read(asked: Endorsing) -> EndorsementRecord:
    try:
        record = EndorsementRecord.from_bytes(asked.record)
    except TrustError as error:
        raise Invalid(Reason.REASON_MALFORMED, str(error), field="record") from error
    if record.signer != asked.signer.name or record.deployment != asked.deployment:
        raise bad_signature("Sign a record that names you and this deployment.")
    if abs(record.time - asked.at) > CLOCK_TOLERANCE:
        raise stale_record()
    if asked.printed_name.clear != asked.signer.printed_name:
        raise bad_signature("Send the printed name just as PrepareEndorsement gave it.")
    return record
