"""Commitments: a record can bind a person's words without holding them (decision 4).

Whoever has text and salt can show that they are the committed ones; when both are erased, the
commitment tells nothing.
"""

import hashlib
import hmac
import secrets
import unicodedata

from assay_trust.errors import TrustError

SALT_BYTES = 32


def new_salt() -> bytes:
    """Return a fresh random salt; use one a text, so that equal texts do not look equal."""
    return secrets.token_bytes(SALT_BYTES)


def commit(clear: str, salt: bytes) -> bytes:
    """Return the 32 bytes that bind `clear`: HMAC-SHA256 under `salt` of its NFC form in UTF-8."""
    if len(salt) != SALT_BYTES:
        raise TrustError(f"Give a salt of exactly {SALT_BYTES} bytes.")
    try:
        text = unicodedata.normalize("NFC", clear).encode("utf-8")
    except UnicodeEncodeError as error:
        raise TrustError("Remove lone surrogates from the text.") from error
    return hmac.new(salt, text, hashlib.sha256).digest()


def matches(clear: str, salt: bytes, commitment: bytes) -> bool:
    """Tell in constant time whether `commitment` binds `clear` under `salt`."""
    return hmac.compare_digest(commit(clear, salt), commitment)
