"""The keys of an OIDC provider are fetched by HTTPS, from where it says, within bounds."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay_serve.embedded import certificates
from assay_serve.oidc_fetch import DISCOVERY, Unreachable, fetch_keys
from assay_serve.oidc_settings import OidcIssuer, parse_issuers
from assay_trust.provider_keys import MAX_BYTES
from tests.support.http_between import Reply
from tests.support.oidc_provider import KEYS, OidcProvider, providing
from tests.support.scribe import DEPLOYMENT


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with providing() as running:
        yield running


def issuer(provider: OidcProvider, **more: object) -> OidcIssuer:
    (found,) = parse_issuers(json.dumps([provider.settings(**more)]))
    return found


def test_the_keys_are_where_the_discovery_document_says(provider: OidcProvider) -> None:
    assert json.loads(fetch_keys(issuer(provider))) == {"keys": provider.published}
    assert provider.asked == [DISCOVERY, KEYS]


def test_a_given_address_of_the_keys_needs_no_discovery(provider: OidcProvider) -> None:
    found = issuer(provider, jwks_url=f"{provider.url}{KEYS}")
    assert json.loads(fetch_keys(found)) == {"keys": provider.published}
    assert provider.asked == [KEYS]


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://elsewhere.example", "jwks_uri": "https://elsewhere.example/keys"},
        {"jwks_uri": "https://elsewhere.example/keys"},
        {"issuer": 1},
    ],
)
def test_a_discovery_document_of_another_issuer_is_refused(
    provider: OidcProvider, discovery: dict[str, object]
) -> None:
    provider.discovery = discovery
    with pytest.raises(Unreachable, match="not the discovery document"):
        fetch_keys(issuer(provider))


@pytest.mark.parametrize("address", ["http://keys.example/keys", "file:///etc/passwd", "keys"])
def test_keys_that_do_not_lie_behind_https_are_refused(
    provider: OidcProvider, address: str
) -> None:
    provider.discovery = {"issuer": provider.url, "jwks_uri": address}
    with pytest.raises(Unreachable, match="https"):
        fetch_keys(issuer(provider))


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_a_redirect_is_not_followed(provider: OidcProvider, path: str, status: int) -> None:
    provider.replies[path] = Reply(status, headers={"location": f"{provider.url}/elsewhere"})
    with pytest.raises(Unreachable, match=f"answered {status}"):
        fetch_keys(issuer(provider))
    assert "/elsewhere" not in provider.asked


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
def test_an_answer_without_end_is_not_read(provider: OidcProvider, path: str) -> None:
    provider.replies[path] = Reply(body=b" " * (MAX_BYTES + 1))
    with pytest.raises(Unreachable, match="more than"):
        fetch_keys(issuer(provider))


def test_a_discovery_document_that_is_no_json_is_refused(provider: OidcProvider) -> None:
    provider.replies[DISCOVERY] = Reply(body=b"<html>")
    with pytest.raises(Unreachable):
        fetch_keys(issuer(provider))


def test_a_provider_that_is_not_there_is_unreachable() -> None:
    with providing() as gone:
        found = issuer(gone)
    with pytest.raises(Unreachable):
        fetch_keys(found)


def test_the_certificate_of_a_provider_is_verified(tmp_path: Path) -> None:
    certificates.renew(tmp_path, DEPLOYMENT)
    own = certificates.environ(tmp_path, "audit")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own["ASSAY_TLS_CERTIFICATE"], own["ASSAY_TLS_KEY"])
    with providing(tls=tls) as provider:
        for ca in ("", own["ASSAY_TLS_CA"]):  # a stranger's, then of another name
            with pytest.raises(Unreachable, match=r"(?i)certificate"):
                fetch_keys(issuer(provider, ca=ca))
    assert provider.asked == []
