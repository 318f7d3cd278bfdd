"""An authenticator in software: real keys, real assertions, and nobody who unlocks it."""

import hashlib
import json
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

from assay_trust.webauthn import challenge

RP_ID, ORIGIN = "assay.example", "https://assay.example"
PRESENT, VERIFIED, BACKED_UP, ATTESTED, EXTENDED = 0x01, 0x04, 0x18, 0x40, 0x80


def es256() -> ec.EllipticCurvePrivateKey:
    """Return a new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(slots=True)
class Authenticator:
    """One passkey of one relying party; tests change a field to see it refused."""

    key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey = field(default_factory=es256)
    rp_id: str = RP_ID
    origin: str = ORIGIN
    flags: int = PRESENT | VERIFIED
    sign_count: int = 0
    extensions: bytes = b""
    client_data: dict[str, object] = field(default_factory=dict)

    @property
    def public_key(self) -> bytes:
        """The public key in COSE form."""
        if isinstance(self.key, Ed25519PrivateKey):
            return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})
        point = self.key.public_key().public_numbers()
        x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def register(self, asked: bytes) -> tuple[bytes, bytes]:
        """Return the attestation object, attesting nothing, and the client data."""
        attested = bytes(16) + (16).to_bytes(2, "big") + bytes(range(16)) + self.public_key
        data = self.authenticator_data(ATTESTED, attested)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return attestation, self.collected("webauthn.create", asked)

    def sign(self, record: bytes, payload_type: str) -> tuple[bytes, bytes, bytes]:
        """Return the authenticator data, the client data and the signature of a record."""
        client_data = self.collected("webauthn.get", challenge(payload_type, record))
        data = self.authenticator_data()
        signed = data + hashlib.sha256(client_data).digest()
        if isinstance(self.key, Ed25519PrivateKey):
            return data, client_data, self.key.sign(signed)
        return data, client_data, self.key.sign(signed, ec.ECDSA(SHA256()))

    def collected(self, kind: str, asked: bytes) -> bytes:
        """Return what a browser collects."""
        told = {"type": kind, "challenge": bytes_to_base64url(asked), "origin": self.origin}
        return json.dumps({**told, "crossOrigin": False, **self.client_data}).encode()

    def authenticator_data(self, more_flags: int = 0, attested: bytes = b"") -> bytes:
        """Return what the authenticator says of itself."""
        flags = self.flags | more_flags | (EXTENDED if self.extensions else 0)
        head = bytes([flags]) + self.sign_count.to_bytes(4, "big")
        return hashlib.sha256(self.rp_id.encode()).digest() + head + attested + self.extensions
