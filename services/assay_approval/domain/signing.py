"""The rules of any signing: who may, with which key, when, under which printed name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assay.approval.v1.resources_pb2 import PasskeyData, PolicySpec
from assay.endorsements import is_bound
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_events.decider import Forbidden, Invalid, Rejection
from assay_trust.errors import TrustError
from assay_trust.record import SigningRecord

CLOCK_TOLERANCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Signer:
    """The caller with its signing keys, and all accounts of the same person, its own too."""

    name: str
    accounts: frozenset[str]
    kind: ActorKind.ValueType
    is_owner: bool
    printed_name: str
    keys: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Signing:
    """A signature as it came, and what it is judged by."""

    signer: Signer
    record: bytes
    signature: bytes
    printed_name: PersonalText
    reason: PersonalText
    deployment: str
    at: datetime
    passkey: PasskeyData = field(default_factory=PasskeyData)


def check_signer(signer: Signer) -> None:
    """Refuse whoever may never sign."""
    if signer.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Let a person sign: a workload never does."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    if signer.is_owner:
        words = "Ask another person to sign: the owner of the deployment never approves."
        raise Forbidden(Reason.REASON_OWNER_MAY_NOT_SIGN, words)


def enrolled_key(signer: Signer, key: str) -> bytes:
    """Return the public key called `key` if the signer may sign with it."""
    public_key = signer.keys.get(key)
    if public_key is None:
        raise Rejection(
            Reason.REASON_KEY_NOT_ENROLLED,
            "Sign with a key that is enrolled for you and not revoked.",
            key=key,
        )
    return public_key


def check_reason(reason: PersonalText) -> None:
    """Refuse a reason that says nothing."""
    if not reason.clear.strip():
        words = "Say why: the reason must not be blank."
        raise Invalid(Reason.REASON_REQUIRED, words, field="reason")


def check_reason_code(code: str, specs: Iterable[PolicySpec], field: str = "code") -> None:
    """Refuse a code that one of the policies does not list, where it lists any."""
    for spec in specs:
        if spec.reason_codes and code not in spec.reason_codes:
            words = f"Give one of the policy's reason codes: {', '.join(spec.reason_codes)}."
            raise Invalid(Reason.REASON_BAD_REASON_CODE, words, field=field)


def read_record(signing: Signing) -> SigningRecord:
    """Return the record that was signed, once all but its subject and signature was checked."""
    try:
        record = SigningRecord.from_bytes(signing.record)
    except TrustError as error:
        raise Invalid(Reason.REASON_MALFORMED, str(error), field="record") from error
    enrolled_key(signing.signer, record.key)
    if record.signer != signing.signer.name or record.deployment != signing.deployment:
        raise bad_signature("Sign a record that names you and this deployment.")
    if abs(record.time - signing.at) > CLOCK_TOLERANCE:
        raise stale_record()
    if not _is_own_reason(signing, record):
        raise bad_signature("Send the reason just as PrepareSignature gave it for this record.")
    if not _is_own_name(signing, record):
        raise bad_signature("Send the printed name just as PrepareSignature gave it.")
    return record


def stale_record() -> Rejection:
    """Return the refusal of a record whose time is too far from the server's clock."""
    return Rejection(
        Reason.REASON_STALE_RECORD,
        "Prepare and sign again: the record's time is more than ten minutes from the server's.",
    )


def bad_signature(message: str) -> Rejection:
    """Return the refusal of a signature that does not fit."""
    return Rejection(Reason.REASON_BAD_SIGNATURE, message)


def _is_own_reason(signing: Signing, record: SigningRecord) -> bool:
    """Return whether the record binds the reason, which is told where one is bound."""
    is_told = bool(signing.reason.clear) or not record.reason_commitment
    return is_told and is_bound(signing.reason, record.reason_commitment)


def _is_own_name(signing: Signing, record: SigningRecord) -> bool:
    """Return whether the record binds the name that the signer is known by."""
    printed = signing.printed_name
    is_known = printed.clear == signing.signer.printed_name
    return is_known and is_bound(printed, record.printed_name_commitment)
