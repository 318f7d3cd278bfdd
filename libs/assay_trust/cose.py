"""COSE public keys of passkeys: ES256 and EdDSA, each in the one spelling that CTAP2 allows.

WebAuthn writes the key in CTAP2's canonical CBOR, so that its bytes but for the coordinates are
fixed: they are compared, and no CBOR is parsed.
"""

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from assay_trust import keys
from assay_trust.errors import InvalidKey

# {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}, RFC 9053 sections 2.1 and 7.1.1
_ES256_X = bytes.fromhex("a5010203262001215820")
_ES256_Y = bytes.fromhex("225820")
# {1: 1 (OKP), 3: -8 (EdDSA), -1: 6 (Ed25519), -2: x}, RFC 9053 sections 2.2 and 7.2
_EDDSA_X = bytes.fromhex("a4010103272006215820")
_COORDINATE_BYTES = 32
_Y_START = len(_ES256_X) + _COORDINATE_BYTES
_EDDSA_KEY_BYTES = len(_EDDSA_X) + _COORDINATE_BYTES
MAX_KEY_BYTES = _Y_START + len(_ES256_Y) + _COORDINATE_BYTES


def check_public(public: bytes) -> None:
    """Refuse a key of another algorithm or spelling, and one under which anyone could sign."""
    if len(public) == _EDDSA_KEY_BYTES and public.startswith(_EDDSA_X):
        keys.check_public(public.removeprefix(_EDDSA_X))
        return
    y_start = public[_Y_START:-_COORDINATE_BYTES]
    if len(public) != MAX_KEY_BYTES or not public.startswith(_ES256_X) or y_start != _ES256_Y:
        raise InvalidKey("Give a passkey's public key in COSE form, of algorithm ES256 or EdDSA.")
    x, y = public[len(_ES256_X) : _Y_START], public[-_COORDINATE_BYTES:]
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), b"\x04" + x + y)
    except ValueError as error:
        raise InvalidKey("Give a passkey's public key whose point lies on the curve.") from error
