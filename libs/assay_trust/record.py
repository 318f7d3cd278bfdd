"""The records that people sign; their exact bytes are kept for ever (decision 5)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from assay_trust import canonical, cose, digests, fields, keys
from assay_trust.errors import MalformedRecord

SIGNATURE_TYPE = "application/vnd.assay.signature.v1+json"
ENROLMENT_TYPE = "application/vnd.assay.enrolment.v1+json"
ENDORSEMENT_TYPE = "application/vnd.assay.endorsement.v1+json"
_NONCE_BYTES = 32


class Meaning(StrEnum):
    """What the signer says of the subject."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REVIEWED = "reviewed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Named:
    """A resource and the digest of what it is at the time of signing."""

    name: str
    digest: str

    def __post_init__(self) -> None:
        fields.resource(self.name)
        digests.parse(self.digest)


@dataclass(frozen=True, slots=True)
class SigningRecord:
    """What a signature on an approval says; no instance holds a malformed value."""

    v: ClassVar[str] = "assay/signature/v1"

    deployment: str
    approval: str
    nonce: str
    subject: Named
    target: str
    policies: tuple[Named, ...]
    meaning: Meaning
    signer: str
    key: str
    time: datetime
    step: str = ""
    role: str = ""
    delegator: str = ""
    evidence_digest: str = ""
    reason_code: str = ""
    reason_commitment: str = ""
    printed_name_commitment: str = ""

    def __post_init__(self) -> None:
        fields.uuid(self.deployment)
        fields.child(self.approval, "approvals")
        fields.nonce(self.nonce)
        fields.resource(self.target)
        _check_policies([policy.name for policy in self.policies])
        fields.key_of(self.signer, self.key)
        for slug in filter(None, (self.step, self.role, self.reason_code)):
            fields.slug(slug)
        if self.delegator and fields.principal(self.delegator) == self.signer:
            raise MalformedRecord("Name a delegator only where another person lent the role.")
        if self.evidence_digest:
            digests.parse(self.evidence_digest)
        for commitment in filter(None, (self.reason_commitment, self.printed_name_commitment)):
            fields.commitment(commitment)
        self.to_bytes()  # refuses texts that have no canonical form

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical.encode(
            {
                "v": self.v,
                "deployment": self.deployment,
                "approval": self.approval,
                "nonce": self.nonce,
                "subject": _named_value(self.subject),
                "target": self.target,
                "policies": [_named_value(policy) for policy in self.policies],
                "meaning": self.meaning.value,
                "signer": self.signer,
                "key": self.key,
                "time": fields.time_text(self.time),
                "step": self.step,
                "role": self.role,
                "delegator": self.delegator,
                "evidence_digest": self.evidence_digest,
                "reason_code": self.reason_code,
                "reason_commitment": self.reason_commitment,
                "printed_name_commitment": self.printed_name_commitment,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "SigningRecord":
        """Return the record whose bytes are exactly `data`."""
        got = fields.unpack(data, cls.v, _SIGNING_FIELDS)
        return cls(
            deployment=fields.text(got, "deployment"),
            approval=fields.text(got, "approval"),
            nonce=fields.text(got, "nonce"),
            subject=_named(got["subject"]),
            target=fields.text(got, "target"),
            policies=_named_all(got["policies"]),
            meaning=_meaning(fields.text(got, "meaning")),
            signer=fields.text(got, "signer"),
            key=fields.text(got, "key"),
            time=fields.time(fields.text(got, "time")),
            step=fields.text(got, "step"),
            role=fields.text(got, "role"),
            delegator=fields.text(got, "delegator"),
            evidence_digest=fields.text(got, "evidence_digest"),
            reason_code=fields.text(got, "reason_code"),
            reason_commitment=fields.text(got, "reason_commitment"),
            printed_name_commitment=fields.text(got, "printed_name_commitment"),
        )


@dataclass(frozen=True, slots=True)
class EndorsementRecord:
    """What a second person signs before a key, a role or a policy takes effect."""

    v: ClassVar[str] = "assay/endorsement/v1"

    deployment: str
    subject: Named
    nonce: str
    signer: str
    key: str
    time: datetime
    printed_name_commitment: str = ""

    def __post_init__(self) -> None:
        fields.uuid(self.deployment)
        fields.nonce(self.nonce)
        fields.key_of(self.signer, self.key)
        if self.printed_name_commitment:
            fields.commitment(self.printed_name_commitment)
        self.to_bytes()

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical.encode(
            {
                "v": self.v,
                "deployment": self.deployment,
                "subject": _named_value(self.subject),
                "nonce": self.nonce,
                "signer": self.signer,
                "key": self.key,
                "time": fields.time_text(self.time),
                "printed_name_commitment": self.printed_name_commitment,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "EndorsementRecord":
        """Return the record whose bytes are exactly `data`."""
        got = fields.unpack(data, cls.v, _ENDORSEMENT_FIELDS)
        return cls(
            deployment=fields.text(got, "deployment"),
            subject=_named(got["subject"]),
            nonce=fields.text(got, "nonce"),
            signer=fields.text(got, "signer"),
            key=fields.text(got, "key"),
            time=fields.time(fields.text(got, "time")),
            printed_name_commitment=fields.text(got, "printed_name_commitment"),
        )


@dataclass(frozen=True, slots=True)
class EnrolmentRecord:
    """What a new key signs to prove that its owner holds it."""

    v: ClassVar[str] = "assay/enrolment/v1"

    deployment: str
    principal: str
    key: str
    public_key: str
    time: datetime
    nonce: str

    def __post_init__(self) -> None:
        fields.uuid(self.deployment)
        fields.key_of(self.principal, self.key)
        public = fields.hexadecimal(self.public_key, keys.KEY_BYTES, cose.MAX_KEY_BYTES)
        if len(public) == keys.KEY_BYTES:
            keys.check_public(public)
        else:
            cose.check_public(public)
        if not self.key.endswith(f"/{keys.key_id(public)}"):
            raise MalformedRecord("Name the key by its key id, the digest of the public key.")
        fields.nonce(self.nonce)
        self.to_bytes()

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed."""
        return canonical.encode(
            {
                "v": self.v,
                "deployment": self.deployment,
                "principal": self.principal,
                "key": self.key,
                "public_key": self.public_key,
                "time": fields.time_text(self.time),
                "nonce": self.nonce,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "EnrolmentRecord":
        """Return the record whose bytes are exactly `data`."""
        got = fields.unpack(data, cls.v, _ENROLMENT_FIELDS)
        return cls(
            deployment=fields.text(got, "deployment"),
            principal=fields.text(got, "principal"),
            key=fields.text(got, "key"),
            public_key=fields.text(got, "public_key"),
            time=fields.time(fields.text(got, "time")),
            nonce=fields.text(got, "nonce"),
        )


_SIGNING_FIELDS = frozenset(SigningRecord.__dataclass_fields__) - {"v"}
_ENDORSEMENT_FIELDS = frozenset(EndorsementRecord.__dataclass_fields__) - {"v"}
_ENROLMENT_FIELDS = frozenset(EnrolmentRecord.__dataclass_fields__) - {"v"}


def new_nonce() -> str:
    """Return a fresh nonce: the service gives one with each request to sign."""
    return secrets.token_hex(_NONCE_BYTES)


def _check_policies(names: list[str]) -> None:
    # Code points, not UTF-16 units, order the names: the order of their UTF-8 bytes.
    if names != sorted(set(names)):
        raise MalformedRecord("Sort the policies by name and name each once.")
    for name in names:
        if "policies" not in name.split("/")[::2]:
            raise MalformedRecord("Give the resource names of policies.")


def _named_value(named: Named) -> Mapping[str, canonical.Value]:
    return {"name": named.name, "digest": named.digest}


def _named(value: canonical.Value) -> Named:
    got = fields.exactly(value, {"name", "digest"})
    return Named(fields.text(got, "name"), fields.text(got, "digest"))


def _named_all(value: canonical.Value) -> tuple[Named, ...]:
    if isinstance(value, str | bool | Mapping):
        raise MalformedRecord("Write the policies as a list.")
    return tuple(_named(item) for item in value)


def _meaning(value: str) -> Meaning:
    try:
        return Meaning(value)
    except ValueError as error:
        raise MalformedRecord("Say approved, rejected, reviewed or revoked.") from error
