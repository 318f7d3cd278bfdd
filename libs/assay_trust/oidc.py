"""Bearer tokens of OIDC providers: what one must say, and which principal its subject is.

The steps of a verification: (1) header, (2) key of this provider that fits the algorithm,
(3) signature, (4) issuer, audience, times, (5) subject and kind. Nothing but the issuer, which
tells whose keys to try, is read before the signature is verified.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel

from assay_trust.compact import MAX_TOKEN_CHARACTERS, read_object, read_parts
from assay_trust.errors import InvalidToken
from assay_trust.provider_keys import ALGORITHMS, ProviderKeys
from assay_trust.tokens import SKEW_SECONDS, Claims

MAX_SUBJECT_CHARACTERS = 255  # OpenID Connect Core 1.0, section 2
_MAX_KID_CHARACTERS = 256
_MAX_TIME = 2**53
_MAX_TEXT, _MAX_METHODS = 200, 16
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # RFC 9068


class _Allowed(jws.JWSRegistry):
    """The algorithms that are allowed; headers of other uses are not read."""

    max_header_length = MAX_TOKEN_CHARACTERS

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return an allowed algorithm; refuse any other name, `none` and HMAC included."""
        if name not in ALGORITHMS:
            raise InvalidToken(f"Sign the token with one of {', '.join(ALGORITHMS)}.")
        return self.algorithms[name]


_REGISTRY = _Allowed(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What tokens of a provider say: to whom they are given, where the subject and kind are."""

    issuer: str
    audience: str
    subject_claim: str = "sub"
    kind: str = "human"
    workload_claim: str = ""
    workload_value: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """Which key a token names, and for which algorithm."""

    kid: str
    algorithm: str


def principal_id(issuer: str, subject: str, claim: str = "sub") -> str:
    """Return the UUID of the principal that is `subject` at `issuer`.

    Version 8 (RFC 9562) of SHA-256: no other kind of id of Assay has this version.
    """
    named = f"assay/oidc/v1\n{issuer}\n{claim}\n{subject}"
    number = int.from_bytes(hashlib.sha256(named.encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # version
    number = number & ~(0x3 << 62) | 2 << 62  # variant
    return str(UUID(int=number))


def unverified_issuer(token: str) -> str:
    """Return the issuer that a token claims, empty where it names none: whose keys to try."""
    _, claims = read_parts(token)
    issuer = read_object(claims).get("iss")
    return issuer if isinstance(issuer, str) else ""


def read_header(token: str) -> Header:
    """Return what the header of a token says, before any verification."""
    raw, _ = read_parts(token)
    header = read_object(raw)
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if "crit" in header or "b64" in header:
        raise InvalidToken("Leave critical extensions out of the header of the token.")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise InvalidToken("Use an access token or ID token, whose header typ is JWT or at+jwt.")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise InvalidToken(f"Sign the token with one of {', '.join(ALGORITHMS)}.")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID_CHARACTERS:
        raise InvalidToken("Name the key of the token in its header kid.")
    return Header(kid, algorithm)


def verify(token: str, keys: ProviderKeys, expected: Expected, now: int) -> Claims:
    """Return what `token` proves at `now`, in seconds since 1970."""
    header = read_header(token)  # (1)
    key = keys.by_id.get((header.kid, header.algorithm))  # (2)
    if key is None:
        raise InvalidToken(f"Use a token signed by a key that {expected.issuer} publishes.")
    try:
        payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload  # (3)
    except (JoseError, ValueError) as error:
        raise InvalidToken("Use the token as it was issued: its signature is wrong.") from error
    claims = read_object(payload)
    _check_party(claims, expected)  # (4)
    _check_times(claims, now)
    return _claims(claims, expected)  # (5)


def _check_party(claims: Mapping[str, object], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise InvalidToken(f"Use a token of the issuer {expected.issuer}.")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.audience not in named:
        raise InvalidToken(f"Use a token whose audience is {expected.audience}.")
    if "cnf" in claims:  # RFC 7800
        raise InvalidToken("Use a bearer token: this one is bound to a key of its holder.")
    if "events" in claims:  # RFC 8417: tells of a log-out, say
        raise InvalidToken("Use an access token or ID token, not one that reports an event.")


def _check_times(claims: Mapping[str, object], now: int) -> None:
    if _time(claims, "exp") + SKEW_SECONDS <= now:
        raise InvalidToken("Log in again: the token has expired.")
    if _time(claims, "iat") - SKEW_SECONDS > now:
        raise InvalidToken("Set the clock right: the token was issued in the future.")
    if "nbf" in claims and _time(claims, "nbf") - SKEW_SECONDS > now:
        raise InvalidToken("Wait until the token becomes valid.")


def _claims(claims: Mapping[str, object], expected: Expected) -> Claims:
    claim = expected.subject_claim
    return Claims(
        subject=principal_id(expected.issuer, _subject(claims, claim), claim),
        kind=_kind(claims, expected),
        issuer=expected.issuer,
        acr=_text(claims, "acr"),
        amr=_texts(claims, "amr"),
        issued_at=_time(claims, "iat"),
        expires_at=_time(claims, "exp"),
        client=_text(claims, "azp") or _text(claims, "client_id"),
        on_behalf_of="",
    )


def _subject(claims: Mapping[str, object], claim: str) -> str:
    subject = claims.get(claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        most = f"a text of 1 to {MAX_SUBJECT_CHARACTERS} characters"
        raise InvalidToken(f"Use a token that names its subject in the claim {claim}, as {most}.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in subject):
        raise InvalidToken(f"Use a token whose claim {claim} has no control characters.")
    return subject


def _kind(claims: Mapping[str, object], expected: Expected) -> str:
    is_marked = expected.workload_claim and (
        claims.get(expected.workload_claim) == expected.workload_value
    )
    return "workload" if is_marked else expected.kind


def _time(claims: Mapping[str, object], name: str) -> int:
    """Return a NumericDate (RFC 7519), which may have a fraction."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_TIME:
        raise InvalidToken(f"Use a token with the claim {name} in seconds since 1970.")
    return int(value)


def _text(claims: Mapping[str, object], name: str) -> str:
    """Return a claim that Assay passes on but trusts for nothing, empty where it is odd."""
    value = claims.get(name)
    is_fit = isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()
    return value if is_fit and isinstance(value, str) else ""


def _texts(claims: Mapping[str, object], name: str) -> tuple[str, ...]:
    values = claims.get(name)
    if not isinstance(values, list):
        return ()
    return tuple(text for value in values[:_MAX_METHODS] if (text := _text({name: value}, name)))
