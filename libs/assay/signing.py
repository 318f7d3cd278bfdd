"""Signatures of people: check the record that the service prepared, show it, sign it, send it.

The signer trusts its own eyes: the record is taken apart here, compared with the approval that was
read, and the text shown is made from the record, not taken from the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1 import resources_pb2 as approval
from assay.errors import DataLoss, FailedPrecondition, Invalid
from assay.names import KeyName, PrincipalName
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import dsse, keys, personal
from assay_trust.display import display_text
from assay_trust.keys import KeyPair
from assay_trust.record import (
    ENROLMENT_TYPE,
    SIGNATURE_TYPE,
    EnrolmentRecord,
    Meaning,
    SigningRecord,
    new_nonce,
)

if TYPE_CHECKING:
    from assay.client import Client

_Request = TypeVar(
    "_Request", api.SignApprovalRequest, api.RejectApprovalRequest, api.ReviewBreakGlassRequest
)
_MAX_SKEW = timedelta(minutes=10)
_MEANINGS: Mapping[Meaning, approval.Meaning.ValueType] = {
    Meaning.APPROVED: approval.MEANING_APPROVED,
    Meaning.REJECTED: approval.MEANING_REJECTED,
    Meaning.REVIEWED: approval.MEANING_REVIEWED,
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a signer says beside the meaning; what is empty, the service fills in.

    Attributes:
        step: Step to sign; the one that is open where empty.
        role: Approver role to sign in, without `approver:`; the one that fits where empty.
        delegator: Principal whose lent role is used; the signer's own where empty.
        reason_code: Code of the reason.
    """

    step: str = ""
    role: str = ""
    delegator: str = ""
    reason_code: str = ""


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record that is checked and waits for its signature.

    Attributes:
        text: What the signer must read before signing.
    """

    approval: approval.Approval
    record: SigningRecord
    record_bytes: bytes
    reason: PersonalText
    printed_name: PersonalText
    text: str


def prepare(
    client: "Client",
    name: str,
    public_key: bytes,
    meaning: Meaning,
    reason: str = "",
    terms: Terms = NO_TERMS,
) -> Prepared:
    """Return the record to sign for the approval `name`, checked against what it must say."""
    if meaning not in _MEANINGS:
        raise Invalid("A signature approves, rejects or reviews; revoking needs none.")
    asked = client.approval.GetApproval(api.GetApprovalRequest(name=name)).approval
    key = KeyName(PrincipalName.parse(client.principal).principal, keys.key_id(public_key))
    answer = client.approval.PrepareSignature(
        api.PrepareSignatureRequest(
            name=name,
            reason=reason,
            meaning=_MEANINGS[meaning],
            key=str(key),
            step=terms.step,
            role=terms.role,
            delegator=terms.delegator,
            reason_code=terms.reason_code,
        )
    )
    record = SigningRecord.from_bytes(answer.record)
    _check(record, asked, key, meaning)
    _check_terms(record, terms)
    check_text("reason", record.reason_commitment, answer.reason, reason)
    printed = answer.printed_name.clear
    check_text("printed name", record.printed_name_commitment, answer.printed_name, printed)
    return Prepared(
        asked,
        record,
        answer.record,
        answer.reason,
        answer.printed_name,
        _text(record, printed, reason),
    )


def sign(client: "Client", prepared: Prepared, pair: KeyPair) -> approval.Approval:
    """Send the signature of a prepared record and return the approval after it."""
    check_key(prepared.record.key, pair)
    match prepared.record.meaning:
        case Meaning.REJECTED:
            rejection = _request(api.RejectApprovalRequest, prepared, pair)
            return client.approval.RejectApproval(rejection).approval
        case Meaning.REVIEWED:
            review = _request(api.ReviewBreakGlassRequest, prepared, pair)
            return client.approval.ReviewBreakGlass(review).approval
        case _:
            signature = _request(api.SignApprovalRequest, prepared, pair)
            return client.approval.SignApproval(signature).approval


def _request(kind: type[_Request], prepared: Prepared, pair: KeyPair) -> _Request:
    """Return the request that sends the signature of a prepared record."""
    return kind(
        name=prepared.approval.name,
        record=prepared.record_bytes,
        signature=dsse.sign(pair.private, SIGNATURE_TYPE, prepared.record_bytes),
        reason=prepared.reason,
        printed_name=prepared.printed_name,
    )


def enrol(client: "Client", pair: KeyPair, deployment: str) -> approval.Key:
    """Enrol the caller's key, proving that the caller holds it."""
    key = KeyName(PrincipalName.parse(client.principal).principal, keys.key_id(pair.public))
    record = EnrolmentRecord(
        deployment=deployment,
        principal=str(key.parent),
        key=str(key),
        public_key=pair.public.hex(),
        time=datetime.now(UTC).replace(microsecond=0),
        nonce=new_nonce(),
    ).to_bytes()
    request = api.EnrolKeyRequest(
        parent=str(key.parent),
        public_key=pair.public,
        record=record,
        signature=dsse.sign(pair.private, ENROLMENT_TYPE, record),
    )
    return client.approval.EnrolKey(request).key


def _check(record: SigningRecord, asked: approval.Approval, key: KeyName, meaning: Meaning) -> None:
    """Refuse a record that says anything else than the approval does."""
    policies = sorted((policy.name, policy.digest) for policy in asked.policies)
    pairs: Mapping[str, tuple[object, object]] = {
        "approval": (record.approval, asked.name),
        "version": (record.subject.name, asked.version),
        "manifest digest": (record.subject.digest, asked.manifest_digest),
        "target": (record.target, asked.target),
        "policies": ([(policy.name, policy.digest) for policy in record.policies], policies),
        "evidence": (record.evidence_digest, asked.evidence_digest),
        "meaning": (record.meaning, meaning),
        "signer": (record.signer, str(key.parent)),
        "key": (record.key, str(key)),
    }
    check_pairs(pairs, "approval")
    check_time(record.time)


def _check_terms(record: SigningRecord, terms: Terms) -> None:
    """Refuse a record in another step, role, or person's name than the signer asked for."""
    check_pairs(
        {
            "step": (record.step, terms.step or record.step),
            "role": (record.role, terms.role or record.role),
            "delegator": (record.delegator, terms.delegator),
            "reason code": (record.reason_code, terms.reason_code),
        },
        "signer",
    )


def check_pairs(pairs: Mapping[str, tuple[object, object]], of: str) -> None:
    """Refuse a record in which anything differs from what was asked for."""
    for what, (said, wanted) in pairs.items():
        if said != wanted:
            raise DataLoss(
                f"Do not sign: the record names another {what} than the {of}.",
                reason="BAD_SIGNATURE",
                metadata={"record": str(said), of: str(wanted)},
            )


def check_time(time: datetime) -> None:
    """Refuse a record of another time than now."""
    if abs(datetime.now(UTC) - time) > _MAX_SKEW:
        raise FailedPrecondition(
            f"Set the clock: the record's time {time.isoformat()} is not now.",
            reason="STALE_RECORD",
        )


def check_key(name: str, pair: KeyPair) -> None:
    """Refuse a key that the record was not prepared for."""
    if not name.endswith(f"/{keys.key_id(pair.public)}"):
        raise Invalid("Sign with the key that the record was prepared for.")


def check_text(what: str, commitment: str, text: PersonalText, wanted: str) -> None:
    """Refuse a commitment to other words than the signer's."""
    if not commitment and not wanted:
        return
    fits = text.clear == wanted and personal.matches(wanted, text.salt, bytes.fromhex(commitment))
    if not fits:
        raise DataLoss(
            f"Do not sign: the record binds another {what} than yours.", reason="BAD_SIGNATURE"
        )


def _text(record: SigningRecord, printed_name: str, reason: str) -> str:
    """Return what the signer reads: the record, and the words that it binds."""
    lines = [display_text(record), f"I sign as {printed_name!r}."]
    return "\n".join([*lines, f"My reason is {reason!r}."] if reason else lines)
