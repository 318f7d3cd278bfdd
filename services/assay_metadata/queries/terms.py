"""Terms: what a version can be found by, as 128 bits that rows hold and searches ask for.

A term stands for a namespace, a kind, and a key with its value: the first half of a SHA-256, as in
subject tokens. It fits an index whatever the length of the value, and is equal for equals only.
"""

from hashlib import sha256
from uuid import UUID


def tag(namespace: str, key: str, value: str) -> UUID:
    """Return the term of a tag."""
    return _term(namespace, "tag", key, value)


def param(namespace: str, key: str, value: str) -> UUID:
    """Return the term of a param."""
    return _term(namespace, "param", key, value)


def metric(namespace: str, key: str) -> UUID:
    """Return the term of all metrics with a key."""
    return _term(namespace, "metric", key)


def holding(namespace: str, kind: str, label: str) -> UUID:
    """Return the term of an alias or a stage, of whatever model; `kind` says which."""
    return _term(namespace, kind, label)


def _term(*parts: str) -> UUID:
    # Text holds no NUL: no two lists of parts become one text.
    return UUID(bytes=sha256("\0".join(parts).encode()).digest()[:16])
