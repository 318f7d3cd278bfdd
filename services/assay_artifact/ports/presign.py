"""AWS Signature Version 4 of a URL, with the headers that must be sent along.

Common clients sign only `host` into a URL. Here digest and length are signed too, so that whoever
holds the URL can send exactly the promised bytes and no others.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs, and for which region."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A request to be signed: `url` without a query; `headers` must be sent as they stand."""

    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def presign(who: Credentials, request: Unsigned, at: datetime, valid_seconds: int) -> str:
    """Return the URL of `request`, signed at the UTC time `at`."""
    parts = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers["host"] = parts.netloc
    query = _query(
        {
            **request.query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{who.access_key}/{_scope(who, at.date())}",
            "X-Amz-Date": _stamp(at.replace(microsecond=0)),
            "X-Amz-Expires": str(valid_seconds),
            "X-Amz-SignedHeaders": ";".join(sorted(headers)),
        }
    )
    canonical = _canonical(request.method, parts.path, query, headers, UNSIGNED)
    signature = _signature(who, at, canonical)
    return f"{request.url}?{query}&X-Amz-Signature={signature}"


def _canonical(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload_digest: str,
) -> str:
    """Return the canonical request; header names are lower-case, `path` and `query` quoted."""
    ordered = sorted(headers.items())
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in ordered)
    names = ";".join(name for name, _ in ordered)
    return "\n".join([method, path or "/", query, lines, names, payload_digest])


def _signature(who: Credentials, at: datetime, canonical: str) -> str:
    digest = sha256(canonical.encode()).hexdigest()
    text = "\n".join(
        [_ALGORITHM, _stamp(at.replace(microsecond=0)), _scope(who, at.date()), digest]
    )
    return _mac(_signing_key(who, _scope(who, at.date())), text).hex()


@lru_cache(maxsize=8)
def _signing_key(who: Credentials, scope: str) -> bytes:
    """Return the key of one day, derived step by step from the secret."""
    key = f"AWS4{who.secret_key}".encode()
    for step in scope.split("/"):
        key = _mac(key, step)
    return key


@lru_cache(maxsize=8)
def _scope(who: Credentials, day: date) -> str:
    return f"{day:%Y%m%d}/{who.region}/s3/aws4_request"


@lru_cache(maxsize=8)
def _stamp(second: datetime) -> str:
    return f"{second:%Y%m%dT%H%M%SZ}"


def _query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
