"""AWS Signature Version 4 of a URL, with the headers that must be sent along.

Common clients sign only `host` into a URL. Here digest and length are signed too, so that whoever
holds the URL can send exactly the promised bytes and no others.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    query = {
        **request.query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{who.access_key}/{_scope(who, at)}",
        "X-Amz-Date": _stamp(at),
        "X-Amz-Expires": str(valid_seconds),
        "X-Amz-SignedHeaders": ";".join(sorted(headers)),
    }
    canonical = _canonical(request.method, parts.path, query, headers, UNSIGNED)
    signature = _signature(who, at, canonical)
    return f"{request.url}?{_query(query)}&X-Amz-Signature={signature}"


def _canonical(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload_digest: str,
) -> str:
    """Return the canonical request; the names in `headers` are lower-case, `path` is quoted."""
    ordered = sorted(headers.items())
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in ordered)
    names = ";".join(name for name, _ in ordered)
    return "\n".join([method, path or "/", _query(query), lines, names, payload_digest])


def _signature(who: Credentials, at: datetime, canonical: str) -> str:
    digest = sha256(canonical.encode()).hexdigest()
    text = "\n".join([_ALGORITHM, _stamp(at), _scope(who, at), digest])
    key = f"AWS4{who.secret_key}".encode()
    for step in _scope(who, at).split("/"):
        key = _mac(key, step)
    return _mac(key, text).hex()


def _scope(who: Credentials, at: datetime) -> str:
    return f"{at:%Y%m%d}/{who.region}/s3/aws4_request"


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def _query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()
