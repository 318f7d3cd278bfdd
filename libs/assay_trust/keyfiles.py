"""Key files: a private key at rest, encrypted under its owner's passphrase (decision 14).

Argon2id turns the passphrase into an AES-256-GCM key. Everything that can be read without the
passphrase is bound as associated data, so that no part can be exchanged.
"""

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from assay_trust import canonical, keys
from assay_trust.errors import TrustError, UnusableKeyFile, WeakPassphrase
from assay_trust.fields import hexadecimal, integer

FORM = "assay/key/v1"
MIN_PASSPHRASE_CHARACTERS = 8
MAX_PASSPHRASE_CHARACTERS = 1024
_MAX_MEMORY_KIB, _MAX_PASSES, _MAX_LANES = 256 * 1024, 10, 8
_SALT_BYTES = 16
_NONCE_BYTES = 12
_CIPHERTEXT_BYTES = keys.KEY_BYTES + 16
_FIELDS = frozenset(
    {"v", "key_id", "public_key", "kdf", "memory_kib", "passes", "lanes", "salt", "cipher", "nonce"}
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess at the passphrase costs; RFC 9106's second recommendation."""

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        # A file comes from anywhere: the bounds keep it from eating the reader's memory or time.
        within = (
            1 <= self.lanes <= _MAX_LANES,
            1 <= self.passes <= _MAX_PASSES,
            8 * self.lanes <= self.memory_kib <= _MAX_MEMORY_KIB,
        )
        if not all(within):
            raise UnusableKeyFile("Use a key file of at most 256 MiB, 10 passes and 8 lanes.")


_USUAL_COST = Cost()


def seal(private: bytes, passphrase: str, cost: Cost = _USUAL_COST) -> bytes:
    """Return the key file of a private key."""
    secret = _checked(passphrase)
    pair = keys.from_private(private)
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    public = {
        "v": FORM,
        "key_id": keys.key_id(pair.public),
        "public_key": pair.public.hex(),
        "kdf": "argon2id",
        "memory_kib": str(cost.memory_kib),
        "passes": str(cost.passes),
        "lanes": str(cost.lanes),
        "salt": salt.hex(),
        "cipher": "aes-256-gcm",
        "nonce": nonce.hex(),
    }
    cipher = AESGCM(_derive(secret, salt, cost))
    ciphertext = cipher.encrypt(nonce, pair.private, canonical.encode(public))
    return canonical.encode({**public, "ciphertext": ciphertext.hex()})


def open_(data: bytes, passphrase: str) -> keys.KeyPair:
    """Return the key pair in a key file."""
    public, ciphertext = _read(data)
    try:
        secret = _checked(passphrase)
    except WeakPassphrase as error:
        raise _does_not_open() from error
    cipher = AESGCM(_derive(secret, bytes.fromhex(public["salt"]), _cost(public)))
    nonce = bytes.fromhex(public["nonce"])
    try:
        private = cipher.decrypt(nonce, ciphertext, canonical.encode(public))
    except InvalidTag as error:
        raise _does_not_open() from error
    pair = keys.from_private(private)
    if pair.public.hex() != public["public_key"]:
        raise _does_not_open()
    return pair


def public_of(data: bytes) -> bytes:
    """Return the public key that a key file claims; only `open_` proves it."""
    public, _ = _read(data)
    return bytes.fromhex(public["public_key"])


def _read(data: bytes) -> tuple[dict[str, str], bytes]:
    """Return the checked fields that need no passphrase, and the ciphertext."""
    try:
        value = canonical.decode(data)
        public = _texts(value)
        ciphertext = hexadecimal(public.pop("ciphertext", ""), _CIPHERTEXT_BYTES)
        _check(public)
    except UnusableKeyFile:
        raise
    except TrustError as error:
        raise UnusableKeyFile("Use a whole and unchanged key file; this one is damaged.") from error
    return public, ciphertext


def _texts(value: canonical.Value) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise UnusableKeyFile("Use a key file, which is a JSON object.")
    texts = {key: text for key, text in value.items() if isinstance(text, str)}
    if len(texts) != len(value):
        raise UnusableKeyFile("Use a key file whose fields are texts.")
    return texts


def _check(public: Mapping[str, str]) -> None:
    fixed = (public.get("v"), public.get("kdf"), public.get("cipher"))
    if public.keys() != _FIELDS or fixed != (FORM, "argon2id", "aes-256-gcm"):
        raise UnusableKeyFile("Use a key file of the form assay/key/v1.")
    key = hexadecimal(public["public_key"], keys.KEY_BYTES)
    if public["key_id"] != keys.key_id(key):
        raise UnusableKeyFile("Use a key file whose key id fits its public key.")
    hexadecimal(public["salt"], _SALT_BYTES)
    hexadecimal(public["nonce"], _NONCE_BYTES)
    _cost(public)


def _cost(public: Mapping[str, str]) -> Cost:
    return Cost(*(integer(public[name]) for name in ("memory_kib", "passes", "lanes")))


def _checked(passphrase: str) -> bytes:
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise WeakPassphrase(
            f"Use a passphrase of at least {MIN_PASSPHRASE_CHARACTERS} characters."
        )
    if len(passphrase) > MAX_PASSPHRASE_CHARACTERS:
        raise WeakPassphrase(f"Use a passphrase of at most {MAX_PASSPHRASE_CHARACTERS} characters.")
    try:
        return unicodedata.normalize("NFC", passphrase).encode("utf-8")
    except UnicodeEncodeError as error:
        raise WeakPassphrase("Use a passphrase of whole Unicode characters.") from error


def _derive(secret: bytes, salt: bytes, cost: Cost) -> bytes:
    kdf = Argon2id(
        salt=salt,
        length=32,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive(secret)


def _does_not_open() -> UnusableKeyFile:
    return UnusableKeyFile("Check the passphrase: it is wrong, or the key file was changed.")
