"""A person who signs: a key pair, and the events that a real signature makes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from assay.approval.v1.events_pb2 import ApprovalRequested, ApprovalSigned, KeyEnrolled, KeyRevoked
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import dsse, keys, personal
from assay_trust.record import SIGNATURE_TYPE, Meaning, Named, SigningRecord
from tests.support.scribe import DEPLOYMENT


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key."""

    printed_name: str
    name: str = field(default_factory=lambda: f"principals/{uuid4()}")
    pair: keys.KeyPair = field(default_factory=keys.generate)

    @property
    def key(self) -> str:
        """Resource name of the key."""
        return f"{self.name}/keys/{keys.key_id(self.pair.public)}"

    @property
    def enrolled(self) -> KeyEnrolled:
        """The event that made the key known."""
        return KeyEnrolled(name=self.key, public_key=self.pair.public)

    @property
    def revoked(self) -> KeyRevoked:
        """The event that ended the key's right to sign."""
        return KeyRevoked(name=self.key, public_key=self.pair.public)

    def sign(self, asked: ApprovalRequested, meaning: Meaning = Meaning.APPROVED) -> ApprovalSigned:
        """Return the event of a signature on what was asked for."""
        name = personal_text(self.printed_name)
        policies = sorted((policy.name, policy.digest) for policy in asked.policies)
        record = SigningRecord(
            deployment=DEPLOYMENT,
            approval=asked.name,
            nonce=asked.nonce,
            subject=Named(asked.version, asked.manifest_digest),
            target=asked.target,
            policies=tuple(Named(*policy) for policy in policies),
            meaning=meaning,
            signer=self.name,
            key=self.key,
            time=datetime.now(UTC).replace(microsecond=0),
            printed_name_commitment=name.commitment.hex(),
        ).to_bytes()
        return ApprovalSigned(
            name=asked.name,
            signer=self.name,
            key=self.key,
            public_key=self.pair.public,
            record=record,
            signature=dsse.sign(self.pair.private, SIGNATURE_TYPE, record),
            printed_name=name,
        )


def personal_text(clear: str) -> PersonalText:
    """Return a text with its commitment."""
    salt = personal.new_salt()
    return PersonalText(clear=clear, salt=salt, commitment=personal.commit(clear, salt))
