"""Tokens: a key says only what it may say, for its audience, in its time."""

import json
import warnings
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.jwk import OctKey

from assay_trust import jwks, keys, tokens
from assay_trust.errors import InvalidToken
from assay_trust.tokens import Verifier
from tests.unit.assay_trust.examples import BEN, OTHER, PAIR

NOW = 1_795_526_649
ISSUER, SERVICE = keys.to_pem(PAIR.private), keys.to_pem(OTHER.private)
TRUSTED = jwks.write_jwks({"local": PAIR.public, "services/approval": OTHER.public})
PUBLIC, INTERNAL = Verifier(TRUSTED, "assay"), Verifier(TRUSTED, "metadata")
USER_TOKEN = tokens.mint_user(ISSUER, "local", BEN, NOW)
SERVICE_TOKEN = tokens.mint_service(SERVICE, "approval", "metadata", NOW)
USER: Mapping[str, object] = {
    "iss": "assay-local",
    "sub": BEN,
    "aud": "assay",
    "kind": "human",
    "acr": "local",
    "amr": ["file"],
    "iat": NOW,
    "exp": NOW + 60,
}
APPROVAL: Mapping[str, object] = {
    "iss": "assay-service",
    "sub": "services/approval",
    "aud": "metadata",
    "kind": "service",
    "iat": NOW,
    "exp": NOW + 60,
}


def _user(**changes: object) -> str:
    return tokens.mint(ISSUER, "local", {**USER, **changes})


def _service(**changes: object) -> str:
    return tokens.mint(SERVICE, "services/approval", {**APPROVAL, **changes})


def _without(claims: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in claims.items() if key != name}


def _signed(header: object, payload: bytes, private: bytes = PAIR.private) -> str:
    """Return a token that joserfc would not make: any header, any payload, rightly signed."""
    head = jwks.b64url(json.dumps(header).encode()) + "." + jwks.b64url(payload)
    signature = Ed25519PrivateKey.from_private_bytes(private).sign(head.encode())
    return head + "." + jwks.b64url(signature)


def test_a_user_token_says_who_calls() -> None:
    token = tokens.mint_user(ISSUER, "local", BEN, NOW, client="assay-cli/0.1")
    claims = PUBLIC.verify(token, NOW)
    assert claims == tokens.Claims(
        subject=BEN,
        kind="human",
        issuer="assay-local",
        acr="local",
        amr=("file",),
        issued_at=NOW,
        expires_at=NOW + 3600,
        client="assay-cli/0.1",
        on_behalf_of="",
    )
    assert claims.principal == f"principals/{BEN}"


def test_a_service_token_says_which_service_calls_and_for_whom() -> None:
    person = f"principals/{BEN}"
    token = tokens.mint_service(SERVICE, "approval", "metadata", NOW, on_behalf_of=person)
    claims = INTERNAL.verify(token, NOW)
    assert (claims.principal, claims.kind) == ("services/approval", "service")
    assert (claims.on_behalf_of, claims.acr, claims.amr) == (person, "", ())


def test_a_service_cannot_make_itself_a_token_that_every_service_accepts() -> None:
    token = _service(aud="assay")
    with pytest.raises(InvalidToken, match="name the one service"):
        PUBLIC.verify(token, NOW)


def test_a_user_token_made_for_one_service_is_refused_there() -> None:
    token = _user(aud="metadata")
    with pytest.raises(InvalidToken, match="Sign only user tokens"):
        INTERNAL.verify(token, NOW)


def test_a_workload_is_no_human() -> None:
    token = tokens.mint_user(ISSUER, "local", BEN, NOW, kind="workload")
    assert PUBLIC.verify(token, NOW).kind == "workload"


def test_making_and_reading_tokens_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PUBLIC.verify(_user(), NOW)


def test_another_implementation_verifies_the_signature() -> None:
    head, _, signature = USER_TOKEN.rpartition(".")
    key = Ed25519PublicKey.from_public_bytes(PAIR.public)
    key.verify(jwks.unb64url(signature), head.encode())


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (_user(aud="metadata"), "audience is assay"),
        (_user(aud=["assay"]), "claim aud as text"),
        (_user(kind="service"), "issuer assay-local"),
        (_user(kind="owner"), "issuer assay-local"),
        (_user(iss="assay-service"), "issuer assay-local"),
        (_user(iss="elsewhere"), "issuer assay-local"),
        (_user(sub="services/approval"), "UUID of a principal"),
        (_user(sub=BEN.upper()), "UUID of a principal"),
        (_user(sub=f"principals/{BEN}"), "UUID of a principal"),
        (_user(acr=""), "logged in"),
        (_user(on_behalf_of=f"principals/{BEN}"), "logged in"),
        (_user(amr="file"), "claim amr"),
        (_user(amr=[]), "claim amr"),
        (_user(amr=[1]), "claim amr"),
        (_user(client=1), "claim client"),
        (_user(exp=NOW - 30), "expired"),
        (_user(iat=NOW + 31), "in the future"),
        (_user(nbf=NOW + 31), "becomes valid"),
        (_user(nbf="soon"), "claim nbf"),
        (_user(exp=True), "claim exp"),
        (_user(exp=float(NOW + 60)), "claim exp"),
        (_user(exp=str(NOW + 60)), "claim exp"),
        (_user(exp=float("inf")), "claim exp"),
        (_user(exp=2**60), "claim exp"),
        (_user(iat=-1), "claim iat"),
        (_user(client="x" * 8192), "at most 8192"),
        *((tokens.mint(ISSUER, "local", _without(USER, n)), f"claim {n}") for n in USER),
    ],
)
def test_other_user_tokens_are_refused(token: str, words: str) -> None:
    with pytest.raises(InvalidToken, match=words):
        PUBLIC.verify(token, NOW)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (_service(sub="services/audit"), "service that they name"),
        (_service(sub=BEN), "service that they name"),
        (_service(kind="human"), "Sign only service tokens"),
        (_service(iss="assay-local"), "Sign only service tokens"),
        (_service(aud="artifact"), "audience is metadata"),
        (_service(acr="local"), "Leave acr and amr out"),
        (_service(amr=["file"]), "Leave acr and amr out"),
        (_service(on_behalf_of="services/audit"), "acts for"),
        (_service(on_behalf_of="principals/ben"), "acts for"),
        (
            tokens.mint(SERVICE, "services/approval", {**USER, "aud": "metadata"}),
            "Sign only service",
        ),
        (tokens.mint(ISSUER, "local", APPROVAL), "issuer assay-local"),
        (tokens.mint(ISSUER, "services/approval", APPROVAL), "signature is wrong"),
        (tokens.mint(SERVICE, "local", {**USER, "aud": "metadata"}), "signature is wrong"),
        (tokens.mint(SERVICE, "services/audit", {**APPROVAL, "sub": "services/audit"}), "trusts"),
        (USER_TOKEN, "audience is metadata"),
    ],
)
def test_other_service_tokens_are_refused(token: str, words: str) -> None:
    with pytest.raises(InvalidToken, match=words):
        INTERNAL.verify(token, NOW)


@pytest.mark.parametrize("name", list(APPROVAL))
def test_a_service_token_without_one_of_its_claims_is_refused(name: str) -> None:
    token = tokens.mint(SERVICE, "services/approval", _without(APPROVAL, name))
    with pytest.raises(InvalidToken):
        INTERNAL.verify(token, NOW)


def test_a_token_holds_until_its_expiry_and_the_skew() -> None:
    assert PUBLIC.verify(_user(exp=NOW), NOW + 29).expires_at == NOW
    with pytest.raises(InvalidToken, match="expired"):
        PUBLIC.verify(_user(exp=NOW), NOW + 30)
    assert PUBLIC.verify(_user(iat=NOW + 30, nbf=NOW + 30), NOW).issued_at == NOW + 30


BODY = json.dumps(USER).encode()
HEADER: Mapping[str, object] = {"alg": "EdDSA", "kid": "local", "typ": "JWT"}


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "three parts"),
        ("a.b", "three parts"),
        ("a.b.c.d", "three parts"),
        ("é.é.é", "base64url"),
        (USER_TOKEN + "=", "base64url"),
        (USER_TOKEN + "\n", "base64url"),
        (_signed([], BODY), "JSON objects"),
        (_signed({**HEADER, "alg": "none"}, BODY), "with EdDSA"),
        (_signed({**HEADER, "alg": "None"}, BODY), "with EdDSA"),
        (_signed({**HEADER, "alg": "HS256"}, BODY), "with EdDSA"),
        (_signed({**HEADER, "alg": "Ed25519"}, BODY), "with EdDSA"),
        (_signed({**HEADER, "alg": ["EdDSA"]}, BODY), "with EdDSA"),
        (_signed(_without(HEADER, "alg"), BODY), "with EdDSA"),
        (_signed(_without(HEADER, "kid"), BODY), "header kid"),
        (_signed({**HEADER, "kid": 1}, BODY), "header kid"),
        (_signed({**HEADER, "kid": "../local"}, BODY), "trusts"),
        (_signed({**HEADER, "typ": "JWE"}, BODY), "only the headers"),
        (_signed({**HEADER, "crit": ["exp"]}, BODY), "only the headers"),
        (_signed({**HEADER, "b64": False}, BODY), "only the headers"),
        (_signed({**HEADER, "jwk": {"kty": "OKP"}}, BODY), "only the headers"),
        (_signed({**HEADER, "jku": "https://localhost"}, BODY), "only the headers"),
        (_signed(HEADER, b"[]"), "JSON objects"),
        (_signed(HEADER, b"\xff"), "JSON objects"),
        (_signed(HEADER, b""), "JSON objects"),
        (_signed(HEADER, b"[" * 5000), "JSON objects"),
        (_signed(HEADER, b'{"exp":' + b"9" * 5000 + b"}"), "JSON objects"),
        (_signed(HEADER, BODY[:-1] + b',"sub":"x"}'), "once"),
        (_signed(HEADER, BODY, OTHER.private), "signature is wrong"),
    ],
)
def test_other_forms_of_token_are_refused(token: str, words: str) -> None:
    with pytest.raises(InvalidToken, match=words):
        PUBLIC.verify(token, NOW)


def test_a_header_without_typ_is_accepted() -> None:
    assert PUBLIC.verify(_signed(_without(HEADER, "typ"), BODY), NOW).subject == BEN


def test_an_unsigned_token_is_refused() -> None:
    head, body, _ = _signed({**HEADER, "alg": "none"}, BODY).split(".")
    with pytest.raises(InvalidToken, match="with EdDSA"):
        PUBLIC.verify(f"{head}.{body}.", NOW)
    head, body, _ = USER_TOKEN.split(".")
    with pytest.raises(InvalidToken, match="signature is wrong"):
        PUBLIC.verify(f"{head}.{body}.", NOW)


def test_the_public_key_is_no_shared_secret() -> None:
    key = OctKey.import_key(PAIR.public)
    forged = jws.serialize_compact({**HEADER, "alg": "HS256"}, BODY, key, algorithms=["HS256"])
    with pytest.raises(InvalidToken, match="with EdDSA"):
        PUBLIC.verify(forged, NOW)


def test_no_refusal_repeats_the_token_or_a_key() -> None:
    with pytest.raises(InvalidToken) as caught:
        PUBLIC.verify(_user(client=1), NOW)
    assert BEN not in str(caught.value)
    assert jwks.b64url(PAIR.public) not in str(caught.value)


def test_a_user_token_of_a_forgotten_key_is_refused() -> None:
    rest = Verifier(jwks.write_jwks({"services/approval": OTHER.public}), "assay")
    with pytest.raises(InvalidToken, match="trusts"):
        rest.verify(USER_TOKEN, NOW)


def test_a_service_token_needs_no_more_than_its_service_and_audience() -> None:
    assert INTERNAL.verify(SERVICE_TOKEN, NOW).subject == "services/approval"
