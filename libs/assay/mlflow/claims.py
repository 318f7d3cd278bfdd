"""Texts of the source within Assay's limits: what is too long for a field is kept as claims.

A claim longer than one text may be is kept in pieces: `notes[1]`, `notes[2]`.
"""

import math
import re
from collections.abc import Iterator, Mapping

MAX_TEXT_BYTES = 1024
MAX_DESCRIPTION_BYTES = 16_384
MAX_ENTRIES = 1000
_PIECE = re.compile(r"(.+)\[([0-9]+)\]\Z", re.DOTALL)
_PASSWORD = re.compile(r"(://[^/?#@:]*):[^/?#@]*@")
_SECRET = re.compile(r"([?&][^=&#]*(?:sig|token|secret|password)[^=&#]*)=[^&#]*", re.IGNORECASE)


def fits(*texts: str) -> bool:
    """Say whether each text is short enough to be a key or a value of a map."""
    return all(len(text.encode()) <= MAX_TEXT_BYTES for text in texts)


def pieces(text: str, limit: int = MAX_TEXT_BYTES) -> Iterator[str]:
    """Yield a text in pieces of at most so many bytes, cut between characters.

    Example:
        >>> list(pieces("größe", 3))
        ['gr', 'ö', 'ße']
    """
    data, start = text.encode(), 0
    while start < len(data):
        end = min(start + limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a character
            end -= 1
        yield data[start:end].decode()
        start = end


def split(claims: Mapping[str, str]) -> dict[str, str]:
    """Return claims of which none is too long, without the empty ones."""
    kept = dict[str, str]()
    for key, text in claims.items():
        if fits(text):
            kept |= {key: text} if text else {}
        else:
            kept |= {f"{key}[{n}]": piece for n, piece in enumerate(pieces(text), start=1)}
    return kept


def joined(claims: Mapping[str, str]) -> dict[str, str]:
    """Return claims whole again, as they were before `split`.

    Example:
        >>> joined(split({"notes": 2000 * "n", "run_id": "5f"})) == {
        ...     "notes": 2000 * "n",
        ...     "run_id": "5f",
        ... }
        True
    """
    whole, parts = dict[str, str](), dict[str, dict[int, str]]()
    for key, text in claims.items():
        match = _PIECE.match(key)
        if match:
            parts.setdefault(match.group(1), {})[int(match.group(2))] = text
        else:
            whole[key] = text
    whole |= {key: "".join(found[n] for n in sorted(found)) for key, found in parts.items()}
    return whole


def start_of(description: str) -> str:
    """Return as much of a description as its field holds."""
    return next(pieces(description, MAX_DESCRIPTION_BYTES), "")


def number(value: float) -> str:
    """Return a number as a claim writes it; those that are none by their names."""
    return repr(value) if math.isfinite(value) else str(value)


def without_password(uri: str) -> str:
    """Return an address without a password or signature: the log keeps what is written for ever.

    Example:
        >>> without_password("s3://me:secret@bucket/model")
        's3://me@bucket/model'
        >>> without_password("https://host/model?sig=abc&v=1")
        'https://host/model?sig=removed&v=1'
    """
    return _SECRET.sub(r"\1=removed", _PASSWORD.sub(r"\1@", uri))
