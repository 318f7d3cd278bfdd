"""The public keys of an OIDC provider (RFC 7517), each for the algorithms that fit its type.

Providers publish keys for other uses beside those of their tokens: these are left out, not refused.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from assay_trust import keys
from assay_trust.errors import InvalidKey
from assay_trust.jwks import unb64url

MAX_BYTES = 256 * 1024
_MAX_KEYS = 100
_RSA_BYTES = range(2048 // 8, 4096 // 8 + 1)
_MAX_EXPONENT_BYTES = 4
_FITTING: Mapping[str, tuple[str, ...]] = {
    "RSA": ("RS256", "PS256"),
    "EC": ("ES256",),
    "OKP": ("EdDSA",),
}
ALGORITHMS = tuple(name for names in _FITTING.values() for name in names)

Key: TypeAlias = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """Keys by key id and algorithm; equal where the provider published the same keys."""

    by_id: Mapping[tuple[str, str], Key] = field(compare=False)
    published: frozenset[str]

    def knows(self, kid: str) -> bool:
        """Return whether any key has this id."""
        return any(known == kid for known, _ in self.by_id)


def parse_provider_keys(data: bytes) -> ProviderKeys:
    """Return the keys in a provider's key set that may verify tokens."""
    if len(data) > MAX_BYTES:
        raise InvalidKey(f"Keep the keys of a provider within {MAX_BYTES} bytes.")
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidKey("Publish the keys of a provider as a JSON key set.") from error
    if not isinstance(value, dict) or not isinstance(entries := value.get("keys"), list):
        raise InvalidKey("Publish the keys of a provider as a JSON key set.")
    if len(entries) > _MAX_KEYS:
        raise InvalidKey(f"Publish at most {_MAX_KEYS} keys of a provider.")
    found: dict[tuple[str, str], Key] = {}
    texts = set[str]()
    for entry in entries:
        for kid, algorithm, key in _entry(entry):
            found.setdefault((kid, algorithm), key)
            texts.add(json.dumps(entry, sort_keys=True))
    return ProviderKeys(found, frozenset(texts))


def _entry(entry: object) -> Iterator[tuple[str, str, Key]]:
    """Yield a key once for each algorithm that it may verify; nothing where it may none."""
    if not isinstance(entry, dict) or {"d", "k"} & entry.keys():  # nobody publishes what signs
        return
    kid, kind = entry.get("kid"), entry.get("kty")
    if not isinstance(kid, str) or not isinstance(kind, str) or not _is_for_signatures(entry):
        return
    key = _key(entry)
    named: object = entry.get("alg")
    for algorithm in _FITTING.get(kind, ()):
        if key is not None and named in (None, algorithm):
            yield kid, algorithm, key


def _is_for_signatures(entry: Mapping[str, object]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and (
        isinstance(operations, list) and "verify" in operations
    )


def _key(entry: Mapping[str, object]) -> Key | None:
    """Return the key, None where it is of no use here."""
    try:
        return _imported(entry)
    except (InvalidKey, JoseError, ValueError, TypeError):
        return None


def _imported(entry: Mapping[str, object]) -> Key | None:
    match entry:
        case {"kty": "RSA", "n": str(n), "e": str(e)}:
            if len(unb64url(n)) not in _RSA_BYTES or len(unb64url(e)) > _MAX_EXPONENT_BYTES:
                return None
            return RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
        case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y)}:
            return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            keys.check_public(unb64url(x))
            return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    return None
