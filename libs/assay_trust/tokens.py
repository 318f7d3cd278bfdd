"""Bearer tokens: EdDSA JWTs of the local issuer (users) and of the services themselves.

The key id says who may claim what: a key named `services/<name>` speaks for that service alone, and
every other key of the trusted set is an issuer's, which speaks for people and workloads.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import OKPKey

from assay_trust import keys
from assay_trust.compact import read_kid, read_object
from assay_trust.errors import InvalidToken
from assay_trust.jwks import b64url, parse_jwks

USER_ISSUER, SERVICE_ISSUER = "assay-local", "assay-service"
USER_AUDIENCE = "assay"
SKEW_SECONDS = 30
_MAX_TIME = 2**53
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SUBJECT = re.compile(_UUID)
_ON_BEHALF_OF = re.compile(rf"(principals/{_UUID})?")
_SERVICE = re.compile(r"services/[a-z][a-z0-9-]*")
_USER_KINDS = frozenset({"human", "workload"})


class _EdDsaOnly(jws.JWSRegistry):
    """The one algorithm; asked for here so that joserfc need not warn of its RFC 9864 name."""

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return EdDSA and refuse any other name, `none` included."""
        if name != "EdDSA":
            raise InvalidToken("Sign the token with EdDSA.")
        return self.algorithms[name]


_REGISTRY = _EdDsaOnly(algorithms=["EdDSA"])


@dataclass(frozen=True, slots=True)
class Claims:
    """Who calls, as a verified token says it."""

    subject: str
    kind: str
    issuer: str
    acr: str
    amr: tuple[str, ...]
    issued_at: int
    expires_at: int
    client: str
    on_behalf_of: str

    @property
    def principal(self) -> str:
        """The resource name of the caller: `principals/<uuid>` or `services/<name>`."""
        return self.subject if self.kind == "service" else f"principals/{self.subject}"


class Verifier:
    """Verifies tokens for one audience against a fixed set of keys."""

    def __init__(self, jwks: bytes, audience: str) -> None:
        public = parse_jwks(jwks)
        self._keys = {kid: _jose_key(key) for kid, key in public.items()}
        self._audience = audience

    def verify(self, token: str, now: int) -> Claims:
        """Return what `token` proves at `now`, in seconds since 1970."""
        kid = read_kid(token)
        key = self._keys.get(kid)
        if key is None:
            raise InvalidToken("Use a token signed by a key that this server trusts.")
        try:
            payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
        except (JoseError, ValueError) as error:
            raise InvalidToken("Use the token as it was issued: its signature is wrong.") from error
        claims = _Reader(read_object(payload))
        claims.check_audience(self._audience)
        claims.check_times(now)
        is_service = kid.startswith("services/")
        found = claims.service(kid) if is_service else claims.user()
        if is_service and self._audience == USER_AUDIENCE:
            raise InvalidToken("Let the audience of a service token name the one service it calls.")
        if not is_service and self._audience != USER_AUDIENCE:
            raise InvalidToken("Sign only user tokens, for the audience assay, with this key.")
        return found


def mint(private_pem: bytes, kid: str, claims: Mapping[str, object]) -> str:
    """Return a token of exactly these claims."""
    key = OKPKey.import_key(keys.to_pem(keys.from_pem(private_pem).private))
    payload = json.dumps(claims, separators=(",", ":")).encode()
    header = {"alg": "EdDSA", "kid": kid, "typ": "JWT"}
    return jws.serialize_compact(header, payload, key, registry=_REGISTRY)


def mint_user(
    private_pem: bytes,
    kid: str,
    principal: str,
    now: int,
    *,
    lifetime_seconds: int = 3600,
    kind: str = "human",
    client: str = "",
) -> str:
    """Return a user token of the local issuer for the principal with this UUID."""
    claims = {
        "iss": USER_ISSUER,
        "sub": principal,
        "aud": USER_AUDIENCE,
        "kind": kind,
        "acr": "local",
        "amr": ["file"],
        "iat": now,
        "exp": now + lifetime_seconds,
    }
    return mint(private_pem, kid, {**claims, **_given(client=client)})


def mint_service(
    private_pem: bytes,
    service: str,
    audience: str,
    now: int,
    *,
    lifetime_seconds: int = 300,
    on_behalf_of: str = "",
) -> str:
    """Return a token with which `service` calls the service `audience`."""
    name = f"services/{service}"
    claims = {
        "iss": SERVICE_ISSUER,
        "sub": name,
        "aud": audience,
        "kind": "service",
        "iat": now,
        "exp": now + lifetime_seconds,
    }
    return mint(private_pem, name, {**claims, **_given(on_behalf_of=on_behalf_of)})


@dataclass(frozen=True, slots=True)
class _Reader:
    """The claims of a token whose signature is verified."""

    claims: Mapping[str, object]

    def check_audience(self, audience: str) -> None:
        if self._text("aud") != audience:
            raise InvalidToken(f"Use a token whose audience is {audience}.")

    def check_times(self, now: int) -> None:
        if self._time("exp") + SKEW_SECONDS <= now:
            raise InvalidToken("Log in again: the token has expired.")
        if self._time("iat") - SKEW_SECONDS > now:
            raise InvalidToken("Set the clock right: the token was issued in the future.")
        if "nbf" in self.claims and self._time("nbf") - SKEW_SECONDS > now:
            raise InvalidToken("Wait until the token becomes valid.")

    def user(self) -> Claims:
        if self._text("iss") != USER_ISSUER or self._text("kind") not in _USER_KINDS:
            raise InvalidToken("Use a user token of the issuer assay-local.")
        if not _SUBJECT.fullmatch(self._text("sub")):
            raise InvalidToken("Use a user token whose subject is the UUID of a principal.")
        if not self._text("acr") or "on_behalf_of" in self.claims:
            raise InvalidToken("Use a user token that says how its owner logged in, and no more.")
        return self._claims(acr=self._text("acr"), amr=self._texts("amr"))

    def service(self, kid: str) -> Claims:
        if self._text("iss") != SERVICE_ISSUER or self._text("kind") != "service":
            raise InvalidToken("Sign only service tokens with a service's key.")
        if not _ON_BEHALF_OF.fullmatch(self._optional("on_behalf_of")):
            raise InvalidToken("Name whom the service acts for as principals/ and their UUID.")
        if self._text("sub") != kid or not _SERVICE.fullmatch(kid):
            raise InvalidToken("Sign service tokens with the key of the service that they name.")
        if {"acr", "amr"} & self.claims.keys():
            raise InvalidToken("Leave acr and amr out of a service token: nobody logged in.")
        return self._claims(acr="", amr=())

    def _claims(self, acr: str, amr: tuple[str, ...]) -> Claims:
        return Claims(
            subject=self._text("sub"),
            kind=self._text("kind"),
            issuer=self._text("iss"),
            acr=acr,
            amr=amr,
            issued_at=self._time("iat"),
            expires_at=self._time("exp"),
            client=self._optional("client"),
            on_behalf_of=self._optional("on_behalf_of"),
        )

    def _text(self, name: str) -> str:
        value = self.claims.get(name)
        if not isinstance(value, str):
            raise InvalidToken(f"Use a token with the claim {name} as text.")
        return value

    def _optional(self, name: str) -> str:
        return self._text(name) if name in self.claims else ""

    def _time(self, name: str) -> int:
        value = self.claims.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_TIME:
            raise InvalidToken(f"Use a token with the claim {name} in whole seconds since 1970.")
        return value

    def _texts(self, name: str) -> tuple[str, ...]:
        values = self.claims.get(name)
        if not isinstance(values, list) or not values:
            raise InvalidToken(f"Use a token with the claim {name} as a list of texts.")
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) != len(values):
            raise InvalidToken(f"Use a token with the claim {name} as a list of texts.")
        return texts


def _given(**claims: str) -> dict[str, str]:
    return {name: value for name, value in claims.items() if value}


def _jose_key(public: bytes) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64url(public)})
