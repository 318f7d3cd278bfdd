"""SHA-256 digests, as bytes and as the text `sha256:<64 lower-case hexadecimal digits>`."""

import hashlib
import re

from assay_trust.errors import MalformedDigest

_PREFIX = "sha256:"
_FORM = re.compile(r"sha256:[0-9a-f]{64}")
_SIZE_BYTES = 32


def sha256(data: bytes) -> str:
    """Return the digest of `data` as text."""
    return to_text(sha256_raw(data))


def sha256_raw(data: bytes) -> bytes:
    """Return the 32 bytes of the digest of `data`."""
    return hashlib.sha256(data).digest()


def parse(text: str) -> bytes:
    """Return the 32 bytes that `text` writes down."""
    if not _FORM.fullmatch(text):
        raise MalformedDigest("Write the digest as sha256: and 64 lower-case hexadecimal digits.")
    return bytes.fromhex(text.removeprefix(_PREFIX))


def to_text(raw: bytes) -> str:
    """Return 32 digest bytes as text."""
    if len(raw) != _SIZE_BYTES:
        raise MalformedDigest("Give a SHA-256 digest of exactly 32 bytes.")
    return _PREFIX + raw.hex()
