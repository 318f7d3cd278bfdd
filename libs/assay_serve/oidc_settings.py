"""Which OIDC providers a deployment trusts, and where their keys are."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from assay_trust.oidc import Expected

_TEXTS = (
    "issuer",
    "audience",
    "jwks_url",
    "subject_claim",
    "kind",
    "workload_claim",
    "workload_value",
    "ca",
)
_SECONDS: Mapping[str, int] = {"refresh_seconds": 300, "max_age_seconds": 3600}
_KINDS = ("human", "workload")
# What is given to somebody else after its holder has left: a principal's id never is.
_REASSIGNED = frozenset({"email", "preferred_username", "upn", "unique_name", "name", "nickname"})
_RESERVED = ("assay-local", "assay-service")
_LONGEST_SECONDS = 24 * 3600


class BadIssuer(Exception):
    """An OIDC provider is not described as it must be; the text says what to write."""


@dataclass(frozen=True, slots=True)
class OidcIssuer:
    """A trusted provider.

    Its keys are fetched again after `refresh_seconds`, and trusted for `max_age_seconds` while it
    does not answer; without `jwks_url` its discovery document says where they are.
    """

    expected: Expected
    jwks_url: str = ""
    refresh_seconds: int = 300
    max_age_seconds: int = 3600
    ca: Path | None = None

    @property
    def url(self) -> str:
        """The issuer, as its tokens name it."""
        return self.expected.issuer


def parse_issuers(text: str) -> tuple[OidcIssuer, ...]:
    """Return the providers in a JSON list, none for the empty text; raise BadIssuer."""
    if not text:
        return ()
    try:
        given: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadIssuer("a JSON list of issuers.") from error
    if not isinstance(given, list):
        raise BadIssuer("a JSON list of issuers.")
    issuers = tuple(_issuer(each) for each in given)
    if len({issuer.url for issuer in issuers}) != len(issuers):
        raise BadIssuer("a list that names each issuer once.")
    return issuers


def is_safe(url: str) -> bool:
    """Return whether a URL is of HTTPS, or of HTTP on loopback."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _issuer(given: object) -> OidcIssuer:
    if not isinstance(given, dict) or not given.keys() <= {*_TEXTS, *_SECONDS}:
        raise BadIssuer(f"objects with the keys {', '.join((*_TEXTS, *_SECONDS))} alone.")
    text = {name: _text(given, name) for name in _TEXTS}
    seconds = {name: _seconds(given, name) for name in _SECONDS}
    if seconds["max_age_seconds"] < seconds["refresh_seconds"]:
        raise BadIssuer("a max_age_seconds of at least refresh_seconds.")
    _check_urls(text["issuer"], text["jwks_url"])
    expected = Expected(
        issuer=text["issuer"],
        audience=text["audience"],
        subject_claim=text["subject_claim"] or "sub",
        kind=text["kind"] or "human",
        workload_claim=text["workload_claim"],
        workload_value=text["workload_value"],
    )
    _check(expected)
    ca = Path(text["ca"]) if text["ca"] else None
    return OidcIssuer(expected, text["jwks_url"], **seconds, ca=ca)


def _check_urls(issuer: str, jwks_url: str) -> None:
    if not is_safe(issuer) or urlsplit(issuer).query or "?" in issuer or issuer in _RESERVED:
        raise BadIssuer("an issuer of https://, without a query (http:// on loopback alone).")
    if jwks_url and not is_safe(jwks_url):
        raise BadIssuer("a jwks_url of https:// (http:// on loopback alone).")


def _check(expected: Expected) -> None:
    if not expected.audience:
        raise BadIssuer("an audience for each issuer.")
    if expected.subject_claim in _REASSIGNED:
        raise BadIssuer(f"a subject_claim that is never given to another: {_TELL}")
    if not expected.subject_claim.isprintable():
        raise BadIssuer("a subject_claim of printable characters.")
    if expected.kind not in _KINDS:
        raise BadIssuer(f"a kind of {' or '.join(_KINDS)}.")
    if bool(expected.workload_claim) != bool(expected.workload_value):
        raise BadIssuer("workload_claim together with workload_value.")


_TELL = "sub, or oid with Entra ID."


def _text(given: Mapping[object, object], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise BadIssuer(f"{name} as text.")
    return value


def _seconds(given: Mapping[object, object], name: str) -> int:
    value = given.get(name, _SECONDS[name])
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LONGEST_SECONDS:
        raise BadIssuer(f"{name} as a number from 1 to {_LONGEST_SECONDS}.")
    return value
