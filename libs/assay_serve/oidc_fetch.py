"""Fetches the keys of an OIDC provider: by HTTPS, without redirects, within bounds."""

import json
import ssl
import time
from urllib.parse import urlsplit

import urllib3

from assay_serve.oidc_settings import OidcIssuer, is_safe
from assay_trust.provider_keys import MAX_BYTES

DISCOVERY = "/.well-known/openid-configuration"
FETCH_SECONDS = 5.0
_SOCKET_SECONDS = 3.0
_CHUNK_BYTES = 16 * 1024
_OK = 200


class Unreachable(Exception):
    """A provider did not give its keys; the text says why, for the log."""


def fetch_keys(issuer: OidcIssuer) -> bytes:
    """Return the key set that a provider publishes now; blocks, so run it in a thread."""
    deadline = time.monotonic() + FETCH_SECONDS
    try:
        with urllib3.PoolManager(ssl_context=_trusting(issuer)) as pool:
            url = issuer.jwks_url or _discover(pool, issuer, deadline)
            return _get(pool, url, deadline)
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from error


def _trusting(issuer: OidcIssuer) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=issuer.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _discover(pool: urllib3.PoolManager, issuer: OidcIssuer, deadline: float) -> str:
    """Return where the discovery document says that the keys are."""
    address = issuer.url.rstrip("/") + DISCOVERY
    document: object = json.loads(_get(pool, address, deadline))
    match document:
        case {"issuer": issuer.url, "jwks_uri": str(url)}:
            if not is_safe(url) or (urlsplit(issuer.url).scheme == "https" and url[:6] != "https:"):
                raise Unreachable(f"{address} names keys that do not lie behind https.")
            return url
    raise Unreachable(f"{address} is not the discovery document of the issuer {issuer.url}.")


def _get(pool: urllib3.PoolManager, url: str, deadline: float) -> bytes:
    response = pool.request(
        "GET",
        url,
        headers={"accept": "application/json", "accept-encoding": "identity"},
        redirect=False,
        retries=False,
        preload_content=False,
        timeout=urllib3.Timeout(_SOCKET_SECONDS),
    )
    try:
        if response.status != _OK:
            raise Unreachable(f"{url} answered {response.status}; redirects are not followed.")
        return _body(response, url, deadline)
    finally:
        response.close()  # never back into the pool: it may be half read


def _body(response: urllib3.BaseHTTPResponse, url: str, deadline: float) -> bytes:
    body = b""
    while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unreachable(f"{url} answered more than {MAX_BYTES} bytes.")
        if time.monotonic() > deadline:
            raise Unreachable(f"{url} took too long.")
    return body
