"""The one accepted spelling of a token: RFC 7515's compact form, read before it is trusted."""

import json
from collections.abc import Mapping

from assay_trust.errors import InvalidKey, InvalidToken
from assay_trust.jwks import unb64url

MAX_TOKEN_CHARACTERS = 8 * 1024


def read_kid(token: str) -> str:
    """Return the key id that a token of the one accepted form names, before any verification."""
    header, _ = read_parts(token)
    return _kid(read_object(header))


def read_parts(token: str) -> tuple[bytes, bytes]:
    """Return the bytes of header and claims, before any verification."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken(f"Use a token of at most {MAX_TOKEN_CHARACTERS} characters.")
    segments = token.split(".")
    if len(segments) != 3:  # noqa: PLR2004 - header, claims, signature
        raise InvalidToken("Send a JWT of three parts as the bearer token.")
    # A spelling that base64 readers take for another would let a changed token pass as the same.
    header, claims, _ = [_unb64url(segment) for segment in segments]
    return header, claims


def read_object(data: bytes) -> dict[str, object]:
    """Return the JSON object in `data`, in which no key comes twice."""
    try:
        value: object = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except InvalidToken:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidToken("Write header and claims as JSON objects.") from error
    if not isinstance(value, dict):
        raise InvalidToken("Write header and claims as JSON objects.")
    return value


def _kid(header: Mapping[str, object]) -> str:
    if not header.keys() <= {"alg", "kid", "typ"} or header.get("typ", "JWT") != "JWT":
        raise InvalidToken("Give the token only the headers alg, kid and typ JWT.")
    if header.get("alg") != "EdDSA":
        raise InvalidToken("Sign the token with EdDSA.")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidToken("Name the key of the token in its header kid.")
    return kid


def _unb64url(segment: str) -> bytes:
    try:
        return unb64url(segment)
    except InvalidKey as error:
        raise InvalidToken("Encode the parts of the token as base64url without padding.") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise InvalidToken("Name each header and claim once.")
    return unique
