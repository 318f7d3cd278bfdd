"""Public keys of passkeys: two algorithms, one spelling, no key under which anyone could sign."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from assay_trust import cose, keys
from assay_trust.errors import InvalidKey
from assay_trust.record import EnrolmentRecord
from tests.unit.assay_trust.examples import BEN, ENROLMENT, PAIR

_POINT = (
    ec.derive_private_key(7, ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
X, Y = _POINT[1:33], _POINT[33:]
ES256 = bytes.fromhex("a5010203262001215820") + X + bytes.fromhex("225820") + Y
EDDSA = bytes.fromhex("a4010103272006215820") + PAIR.public
REFUSED = {
    "nothing": b"",
    "a raw Ed25519 key": PAIR.public,
    "an uncompressed point": _POINT,
    "a short key": ES256[:-1],
    "a long key": ES256 + b"\0",
    "a short EdDSA key": EDDSA[:-1],
    "a long EdDSA key": EDDSA + b"\0",
    "a point off the curve": ES256[:-1] + bytes([ES256[-1] ^ 1]),
    "the point at infinity": ES256[:10] + bytes(32) + ES256[42:45] + bytes(32),
    "a weak Ed25519 key": EDDSA[:-32] + bytes([1]) + bytes(31),
    "ES384": ES256.replace(bytes.fromhex("010203 26"), bytes.fromhex("010203 38")),
    "another label for y": ES256[:42] + bytes.fromhex("235820") + Y,
    "another curve": ES256.replace(bytes.fromhex("2001"), bytes.fromhex("2002"), 1),
    "Ed448": EDDSA.replace(bytes.fromhex("2006"), bytes.fromhex("2007"), 1),
    "keys in another order": bytes.fromhex("a5032601022001215820") + ES256[10:],
    "one label more": bytes.fromhex("a6") + ES256[1:] + bytes.fromhex("3a0000ffff00"),
}


@pytest.mark.parametrize("public", [ES256, EDDSA])
def test_a_key_in_its_one_spelling_is_accepted(public: bytes) -> None:
    cose.check_public(public)


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_key_is_refused(name: str) -> None:
    with pytest.raises(InvalidKey):
        cose.check_public(REFUSED[name])


@pytest.mark.parametrize("public", [ES256, EDDSA])
def test_a_passkey_is_enrolled_by_the_digest_of_its_cose_key(public: bytes) -> None:
    key = f"principals/{BEN}/keys/{keys.key_id(public)}"
    record = replace(ENROLMENT, public_key=public.hex(), key=key)
    assert EnrolmentRecord.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize("name", ["a point off the curve", "a weak Ed25519 key", "a long key"])
def test_a_passkey_that_is_none_is_not_enrolled(name: str) -> None:
    public = REFUSED[name]
    with pytest.raises(ValueError, match=r"\.$"):
        replace(
            ENROLMENT, public_key=public.hex(), key=f"principals/{BEN}/keys/{keys.key_id(public)}"
        )
