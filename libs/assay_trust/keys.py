"""Ed25519 keys: made, named, written as PEM, and checked before they are trusted."""

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from assay_trust.errors import InvalidKey

KEY_BYTES = 32
_PRIME = 2**255 - 19
# The y coordinates of the eight points whose order divides 8. A signature under such a key can be
# made without a private key, and one signature then fits many messages.
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _PRIME - 1, _ORDER_8_Y, _PRIME - _ORDER_8_Y})


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key (the 32-byte seed of RFC 8032) and its public key."""

    private: bytes = field(repr=False)
    public: bytes


def generate() -> KeyPair:
    """Return a fresh random key pair."""
    return _pair(Ed25519PrivateKey.generate())


def from_private(private: bytes) -> KeyPair:
    """Return the pair that belongs to a private key."""
    if len(private) != KEY_BYTES:
        raise InvalidKey(f"Give an Ed25519 private key of exactly {KEY_BYTES} bytes.")
    return _pair(Ed25519PrivateKey.from_private_bytes(private))


def key_id(public: bytes) -> str:
    """Return the short name of a public key: 16 hexadecimal digits of its SHA-256.

    A name is no proof: two keys can be made to share one, so compare whole keys for identity.
    """
    return hashlib.sha256(public).hexdigest()[:16]


def check_public(public: bytes) -> None:
    """Refuse a public key that is malformed or under which anyone could sign."""
    if len(public) != KEY_BYTES:
        raise InvalidKey(f"Give an Ed25519 public key of exactly {KEY_BYTES} bytes.")
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= _PRIME or y in _SMALL_ORDER_Y:
        raise InvalidKey("Make a new key: anyone could sign under this public key.")


def to_pem(private: bytes) -> bytes:
    """Return a private key as unencrypted PKCS#8 PEM; keep it in a file of mode 0600."""
    key = Ed25519PrivateKey.from_private_bytes(from_private(private).private)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def from_pem(pem: bytes) -> KeyPair:
    """Return the pair in an unencrypted PKCS#8 PEM."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidKey("Give an unencrypted Ed25519 private key in PEM form.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidKey("Give an Ed25519 private key; this is one of another kind.")
    return _pair(key)


def _pair(key: Ed25519PrivateKey) -> KeyPair:
    return KeyPair(key.private_bytes_raw(), key.public_key().public_bytes_raw())
