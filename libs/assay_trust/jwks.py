"""The trusted keys file: the public keys of the issuer and of each service (RFC 7517)."""

import base64
import binascii
import json
from collections.abc import Mapping

from assay_trust import keys
from assay_trust.errors import InvalidKey

MAX_BYTES = 1024 * 1024


def write_jwks(public_keys: Mapping[str, bytes]) -> bytes:
    """Return the key set of Ed25519 public keys by key id."""
    for public in public_keys.values():
        keys.check_public(public)
    entries = [
        {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": b64url(key)}
        for kid, key in sorted(public_keys.items())
    ]
    return json.dumps({"keys": entries}, indent=2).encode() + b"\n"


def parse_jwks(data: bytes) -> dict[str, bytes]:
    """Return the public keys in a key set by key id."""
    if len(data) > MAX_BYTES:
        raise InvalidKey(f"Keep the trusted keys within {MAX_BYTES} bytes.")
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidKey("Write the trusted keys as a JSON key set.") from error
    if not isinstance(value, dict) or not isinstance(entries := value.get("keys"), list):
        raise InvalidKey("Write the trusted keys as a JSON key set.")
    pairs = [_entry(entry) for entry in entries]
    if len(dict(pairs)) != len(pairs):
        raise InvalidKey("Give each trusted key a kid of its own.")
    return dict(pairs)


def b64url(data: bytes) -> str:
    """Return `data` in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: str) -> bytes:
    """Return the bytes whose one spelling in base64url without padding is `text`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidKey("Encode bytes as base64url without padding.") from error
    if b64url(data) != text:
        raise InvalidKey("Encode bytes as base64url without padding.")
    return data


def _entry(entry: object) -> tuple[str, bytes]:
    match entry:
        case {"d": _}:
            raise InvalidKey("Remove the private key from the trusted keys.")
        case {"kty": "OKP", "crv": "Ed25519", "kid": str(kid), "x": str(x)}:
            public = unb64url(x)
            keys.check_public(public)
            return kid, public
    raise InvalidKey("Trust only Ed25519 keys that have a kid.")
