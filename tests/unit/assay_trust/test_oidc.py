"""Tokens of OIDC providers: keys that may verify them, claims that count, ids of subjects."""

import json
import warnings
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, RSAKey

from assay_trust import oidc
from assay_trust.errors import InvalidKey, InvalidToken
from assay_trust.jwks import b64url
from assay_trust.oidc import Expected, principal_id
from assay_trust.provider_keys import MAX_BYTES, ProviderKeys, parse_provider_keys
from tests.support.oidc_provider import AUDIENCE, OidcProvider, SigningKey, sign

URL = "https://login.example"
EXPECTED = Expected(URL, AUDIENCE)
KEY = SigningKey.make("ES256")
PROVIDER = OidcProvider(URL, KEY)
NOW = 1_795_526_649


def key_set(*entries: object) -> ProviderKeys:
    return parse_provider_keys(json.dumps({"keys": entries}).encode())


KEYS = key_set(KEY.public)


def token(**claims: object) -> str:
    return PROVIDER.token(**{"subject": "erin", "iat": NOW, "exp": NOW + 60, **claims})  # type: ignore[arg-type]  # claims by name


def headed(**header: object) -> str:
    return sign(
        {"alg": "ES256", "kid": KEY.kid, **header},
        PROVIDER.claims("erin", iat=NOW, exp=NOW + 60),
        KEY,
    )


def test_a_token_says_who_calls() -> None:
    claims = oidc.verify(token(acr="urn:mfa", amr=["pwd", "otp"], azp="web"), KEYS, EXPECTED, NOW)
    assert claims.principal == f"principals/{principal_id(URL, 'erin')}"
    assert (claims.kind, claims.issuer, claims.expires_at) == ("human", URL, NOW + 60)
    assert (claims.acr, claims.amr, claims.client) == ("urn:mfa", ("pwd", "otp"), "web")


def test_the_id_of_a_subject_never_changes() -> None:
    assert principal_id(URL, "erin") == "7f5aec2f-c5a7-8126-9a13-2abb5f654b05"


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_subjects_have_two_ids_that_are_no_random_uuid(one: str, other: str) -> None:
    one, other = (text.encode(errors="replace").decode() for text in (one, other))
    assert (principal_id(URL, one) == principal_id(URL, other)) is (one == other)
    assert UUID(principal_id(URL, one)).version == 8
    assert UUID(principal_id(URL, one)).variant == "specified in RFC 4122"


def test_issuer_and_claim_are_part_of_the_id() -> None:
    ids = {
        principal_id(URL, "erin"),
        principal_id(f"{URL}/", "erin"),
        principal_id(URL, "erin", "oid"),
    }
    assert len(ids) == 3


def test_another_claim_may_name_the_subject() -> None:
    expected = Expected(URL, AUDIENCE, subject_claim="oid")
    found = oidc.verify(token(oid="7"), KEYS, expected, NOW)
    assert found.subject == principal_id(URL, "7", "oid")
    with pytest.raises(InvalidToken, match="oid"):
        oidc.verify(token(), KEYS, expected, NOW)


@pytest.mark.parametrize("value", ["app", "other", True, None, ["app"]])
def test_the_claim_of_the_rule_alone_makes_a_workload(value: object) -> None:
    expected = Expected(URL, AUDIENCE, workload_claim="idtyp", workload_value="app")
    kind = oidc.verify(token(idtyp=value, kind="service"), KEYS, expected, NOW).kind
    assert kind == ("workload" if value == "app" else "human")


def test_all_of_an_issuer_may_be_workloads() -> None:
    expected = Expected(URL, AUDIENCE, kind="workload")
    assert oidc.verify(token(), KEYS, expected, NOW).kind == "workload"


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"sub": "a\u0000"},
        {"aud": []},
        {"aud": ["other"]},
        {"aud": {AUDIENCE: 1}},
        {"exp": "soon"},
        {"exp": True},
        {"exp": NOW - 30},
        {"exp": 1e300},
        {"exp": float("nan")},
        {"exp": -1},
        {"iat": NOW + 31},
        {"nbf": NOW + 31},
        {"nbf": "now"},
        {"iss": [URL]},
        {"cnf": {"jkt": "x"}},
        {"events": {}},
    ],
)
def test_claims_that_are_wrong_are_refused(claims: dict[str, object]) -> None:
    with pytest.raises(InvalidToken, match=r"\.$"):
        oidc.verify(token(**claims), KEYS, EXPECTED, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["other", AUDIENCE]},
        {"exp": NOW - 29},
        {"exp": NOW + 59.5},
        {"iat": NOW + 30},
        {"nbf": NOW + 30},
        {"amr": "pwd", "acr": 1, "azp": "a\u202eb"},
    ],
)
def test_claims_that_are_right_are_accepted(claims: dict[str, object]) -> None:
    assert oidc.verify(token(**claims), KEYS, EXPECTED, NOW).client == ""


@pytest.mark.parametrize(
    "header",
    [
        {"kid": 7},
        {"kid": ""},
        {"kid": "x" * 300},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 1},
        {"alg": 1},
        {"alg": "none"},
        {"alg": "HS256"},
        {"crit": ["b64"], "b64": False},
    ],
)
def test_headers_that_are_wrong_are_refused(header: dict[str, object]) -> None:
    raw = json.dumps({"alg": "ES256", "kid": KEY.kid, **header}).encode()
    _, claims, signature = token().split(".")
    with pytest.raises(InvalidToken):
        oidc.read_header(f"{b64url(raw)}.{claims}.{signature}")


@pytest.mark.parametrize("header", [{}, {"typ": "at+JWT"}, {"x5t": "a", "nonce": "b"}])
def test_headers_of_other_uses_are_not_read(header: dict[str, object]) -> None:
    assert oidc.verify(headed(**header), KEYS, EXPECTED, NOW).issuer == URL


def test_a_key_in_the_header_is_not_believed() -> None:
    stranger = SigningKey.make("ES256")
    header = {"alg": "ES256", "kid": stranger.kid, "jwk": stranger.public, "jku": f"{URL}/keys"}
    forged = sign(header, PROVIDER.claims("erin", iat=NOW, exp=NOW + 60), stranger)
    with pytest.raises(InvalidToken, match="publishes"):
        oidc.verify(forged, KEYS, EXPECTED, NOW)


def _public(key: RSAKey | ECKey, **more: object) -> dict[str, object]:
    return {**key.as_dict(private=False), "kid": "k", **more}


with warnings.catch_warnings(action="ignore", category=SecurityWarning):
    SMALL = RSAKey.import_key(rsa.generate_private_key(65537, 1024))  # noqa: S505 - to be left out
RSA = RSAKey.import_key(rsa.generate_private_key(65537, 2048))
P384 = ECKey.import_key(ec.generate_private_key(ec.SECP384R1()))


@pytest.mark.parametrize(
    "entry",
    [
        _public(SMALL),
        _public(P384),
        _public(RSA, use="enc"),
        _public(RSA, key_ops=["encrypt"]),
        _public(RSA, key_ops=1),
        _public(RSA, alg="RS512"),
        _public(RSA, alg="HS256"),
        _public(RSA, kid=7),
        _public(RSA, n="!"),
        {**_public(RSA), "d": "AQAB"},
        {**OctKey.import_key("secret" * 8).as_dict(private=True), "kid": "k"},
        {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "kid": "k"},
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "k"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43, "kid": "k"},
        {},
        7,
        None,
    ],
)
def test_a_key_that_may_verify_no_token_is_left_out(entry: object) -> None:
    found = key_set(entry, KEY.public)
    assert set(found.by_id) == {(KEY.kid, "ES256")}
    assert not found.knows("k")


def test_an_rsa_key_without_an_algorithm_fits_both() -> None:
    assert set(key_set(_public(RSA)).by_id) == {("k", "RS256"), ("k", "PS256")}


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [' + b"7," * 100 + b"7]}", b"[" * 9999]
)
def test_what_is_no_key_set_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidKey):
        parse_provider_keys(data)


def test_a_key_set_without_end_is_refused() -> None:
    with pytest.raises(InvalidKey):
        parse_provider_keys(b" " * (MAX_BYTES + 1))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_refused_and_nothing_worse(data: bytes) -> None:
    try:
        oidc.verify(data.decode("latin-1"), KEYS, EXPECTED, NOW)
    except InvalidToken:
        return
    raise AssertionError
