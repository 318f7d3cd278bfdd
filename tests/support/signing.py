"""A person who signs: a key pair, and the events that a real signature makes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from assay.approval.v1.events_pb2 import (
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    BreakGlassReviewed,
    KeyEnrolled,
    KeyRevoked,
    RoleGranted,
)
from assay.approval.v1.resources_pb2 import Endorsement, PasskeyData
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import dsse, keys, personal
from assay_trust.record import (
    ENDORSEMENT_TYPE,
    ENROLMENT_TYPE,
    SIGNATURE_TYPE,
    EndorsementRecord,
    EnrolmentRecord,
    Meaning,
    Named,
    SigningRecord,
    new_nonce,
)
from tests.support.authenticator import Authenticator
from tests.support.scribe import DEPLOYMENT

_Signed = TypeVar("_Signed", ApprovalSigned, ApprovalRejected, BreakGlassReviewed)
ROLE = "validator"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key: a key file's, or a passkey's where there is an authenticator."""

    printed_name: str
    name: str = field(default_factory=lambda: f"principals/{uuid4()}")
    pair: keys.KeyPair = field(default_factory=keys.generate)
    passkey: Authenticator | None = None

    @property
    def public_key(self) -> bytes:
        """The public key, as it is enrolled."""
        return self.pair.public if self.passkey is None else self.passkey.public_key

    @property
    def key(self) -> str:
        """Resource name of the key."""
        return f"{self.name}/keys/{keys.key_id(self.public_key)}"

    @property
    def enrolled(self) -> KeyEnrolled:
        """The event of the founding that made the key known, with the proof that it is held."""
        record = EnrolmentRecord(
            deployment=DEPLOYMENT,
            principal=self.name,
            key=self.key,
            public_key=self.public_key.hex(),
            time=_now(),
            nonce=new_nonce(),
        ).to_bytes()
        event = KeyEnrolled(name=self.key, public_key=self.public_key, record=record, founding=True)
        event.signature, passkey = self._signed(ENROLMENT_TYPE, record)
        if passkey is not None:
            event.passkey.CopyFrom(passkey)
        return event

    @property
    def revoked(self) -> KeyRevoked:
        """The event that ended the key's right to sign."""
        return KeyRevoked(name=self.key, public_key=self.public_key)

    def appointed(self, role: str = f"approver:{ROLE}", scope: str = "*") -> RoleGranted:
        """Return the event of the founding that gave a role."""
        return RoleGranted(
            name=f"{self.name}/roles/{uuid4().hex}", role=role, scope=scope, founding=True
        )

    def sign(
        self,
        asked: ApprovalRequested,
        meaning: Meaning = Meaning.APPROVED,
        role: str = ROLE,
        delegator: str = "",
    ) -> ApprovalSigned:
        """Return the event of a signature on what was asked for."""
        return self.act(ApprovalSigned(), asked, meaning, role, delegator)

    def act(
        self,
        event: _Signed,
        asked: ApprovalRequested,
        meaning: Meaning,
        role: str = ROLE,
        delegator: str = "",
    ) -> _Signed:
        """Return the event with a signature on what was asked for."""
        name = personal_text(self.printed_name)
        policies = sorted((policy.name, policy.digest) for policy in asked.policies)
        record = SigningRecord(
            deployment=DEPLOYMENT,
            approval=asked.name,
            nonce=asked.nonce,
            subject=Named(asked.version, asked.manifest_digest),
            target=asked.target,
            policies=tuple(Named(*policy) for policy in policies),
            evidence_digest=asked.evidence_digest,
            meaning=meaning,
            signer=self.name,
            key=self.key,
            time=_now(),
            step="approval",
            role=role,
            delegator=delegator,
            reason_code="reviewed",
            printed_name_commitment=name.commitment.hex(),
        ).to_bytes()
        event.name, event.signer, event.key = asked.name, self.name, self.key
        event.public_key, event.record = self.public_key, record
        event.signature, passkey = self._signed(SIGNATURE_TYPE, record)
        if passkey is not None:
            event.passkey.CopyFrom(passkey)
        event.printed_name.CopyFrom(name)
        return event

    def endorse(self, subject: Named) -> Endorsement:
        """Return the endorsement of a key, role or policy version."""
        name = personal_text(self.printed_name)
        record = EndorsementRecord(
            deployment=DEPLOYMENT,
            subject=subject,
            nonce=new_nonce(),
            signer=self.name,
            key=self.key,
            time=_now(),
            printed_name_commitment=name.commitment.hex(),
        ).to_bytes()
        signature, passkey = self._signed(ENDORSEMENT_TYPE, record)
        return Endorsement(
            signer=self.name,
            key=self.key,
            public_key=self.public_key,
            record=record,
            signature=signature,
            passkey=passkey,
            printed_name=name,
        )

    def _signed(self, payload_type: str, record: bytes) -> tuple[bytes, PasskeyData | None]:
        """Return the signature of a record, and what a passkey adds."""
        if self.passkey is None:
            return dsse.sign(self.pair.private, payload_type, record), None
        data, client_data, signature = self.passkey.sign(record, payload_type)
        rp_id, origin = self.passkey.rp_id, self.passkey.origin
        return signature, PasskeyData(
            authenticator_data=data, client_data_json=client_data, rp_id=rp_id, origin=origin
        )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def personal_text(clear: str) -> PersonalText:
    """Return a text with its commitment."""
    salt = personal.new_salt()
    return PersonalText(clear=clear, salt=salt, commitment=personal.commit(clear, salt))
