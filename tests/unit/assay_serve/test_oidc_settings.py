"""OIDC providers in the environment: what is missing or wrong is named."""

import json
from pathlib import Path

import pytest

from assay_serve.oidc_settings import BadIssuer, OidcIssuer, is_safe, parse_issuers
from assay_serve.settings import BadSettings, Settings
from assay_trust.oidc import Expected
from tests.unit.assay_serve.test_settings import ENVIRON

GOOD: dict[str, object] = {"issuer": "https://login.example", "audience": "assay"}


def test_issuer_and_audience_are_enough() -> None:
    environ = {**ENVIRON, "ASSAY_OIDC_ISSUERS": json.dumps([GOOD])}
    expected = Expected("https://login.example", "assay")
    assert Settings.from_environ(environ).oidc_issuers == (OidcIssuer(expected),)


def test_no_issuer_is_trusted_unless_told() -> None:
    assert Settings.from_environ(ENVIRON).oidc_issuers == ()


def test_all_can_be_told() -> None:
    more = {
        "jwks_url": "https://keys.example/keys",
        "subject_claim": "oid",
        "kind": "human",
        "workload_claim": "idtyp",
        "workload_value": "app",
        "refresh_seconds": 60,
        "max_age_seconds": 120,
        "ca": "/etc/ca.pem",
    }
    (found,) = parse_issuers(json.dumps([{**GOOD, **more}]))
    expected = Expected("https://login.example", "assay", "oid", "human", "idtyp", "app")
    assert found == OidcIssuer(expected, "https://keys.example/keys", 60, 120, Path("/etc/ca.pem"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issuer": ""}, "issuer of https"),
        ({"issuer": "http://login.example"}, "issuer of https"),
        ({"issuer": "https://login.example?x=1"}, "issuer of https"),
        ({"issuer": "https://ann:tulip@login.example"}, "issuer of https"),
        ({"issuer": "https://login.example#x"}, "issuer of https"),
        ({"issuer": "https://login.example\n"}, "issuer of https"),
        ({"issuer": "https://login.example:x"}, "issuer of https"),
        ({"issuer": "assay-local"}, "issuer of https"),
        ({"issuer": 1}, "issuer as text"),
        ({"audience": ""}, "audience"),
        ({"jwks_url": "http://login.example/keys"}, "jwks_url"),
        ({"subject_claim": "email"}, "subject_claim"),
        ({"subject_claim": "a\nb"}, "subject_claim"),
        ({"kind": "service"}, "kind"),
        ({"workload_claim": "idtyp"}, "workload_value"),
        ({"workload_value": "app"}, "workload_value"),
        ({"refresh_seconds": 0}, "refresh_seconds"),
        ({"refresh_seconds": True}, "refresh_seconds"),
        ({"max_age_seconds": 10}, "max_age_seconds"),
        ({"algorithms": ["none"]}, "alone"),
    ],
)
def test_an_issuer_that_is_described_wrongly_is_refused(
    change: dict[str, object], words: str
) -> None:
    environ = {**ENVIRON, "ASSAY_OIDC_ISSUERS": json.dumps([{**GOOD, **change}])}
    with pytest.raises(BadSettings, match=rf"^Set ASSAY_OIDC_ISSUERS to .*{words}.*\.$"):
        Settings.from_environ(environ)


@pytest.mark.parametrize("text", ["{", "{}", "7", "[7]", "[" * 5000, json.dumps([GOOD, GOOD])])
def test_what_is_no_list_of_issuers_is_refused(text: str) -> None:
    with pytest.raises(BadIssuer):
        parse_issuers(text)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_http_is_for_loopback_alone(host: str) -> None:
    assert is_safe(f"http://{host}:8080/realms/x")
    assert not is_safe("http://localhost.example")
    assert not is_safe("http://10.0.0.1")
