"""The forms of the values in a record: each reader takes text and returns what it means."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from assay_trust import canonical
from assay_trust.errors import MalformedRecord

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RESOURCE = re.compile(r"[a-z][a-zA-Z]*/[^/\x00-\x1f\x7f]+(/[a-z][a-zA-Z]*/[^/\x00-\x1f\x7f]+)*")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_HEX = re.compile(r"([0-9a-f]{2})*")
_INTEGER = re.compile(r"0|[1-9][0-9]{0,8}")
_SLUG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME_CHARACTERS = 1024
_MIN_NONCE_BYTES, _MAX_NONCE_BYTES = 16, 64
_COMMITMENT_BYTES = 32


def unpack(data: bytes, version: str, names: AbstractSet[str]) -> Mapping[str, canonical.Value]:
    """Return the fields of a record of `version` that has `v` and exactly `names`."""
    value = canonical.decode(data)
    if not isinstance(value, Mapping) or value.get("v") != version:
        raise MalformedRecord(f"Send a record of the form {version}.")
    return exactly(value, {"v", *names})


def exactly(value: canonical.Value, names: AbstractSet[str]) -> Mapping[str, canonical.Value]:
    """Return the object `value` if its keys are exactly `names`."""
    if not isinstance(value, Mapping) or value.keys() != names:
        raise MalformedRecord(f"Give exactly the fields {', '.join(sorted(names))}.")
    return value


def text(fields: Mapping[str, canonical.Value], name: str) -> str:
    """Return the text in field `name`."""
    value = fields[name]
    if not isinstance(value, str):
        raise MalformedRecord(f"Write the field {name} as text.")
    return value


def uuid(value: str) -> str:
    """Return a UUID in its lower-case form with hyphens."""
    if not _UUID.fullmatch(value):
        raise MalformedRecord("Write UUIDs in lower case with hyphens.")
    return value


def resource(value: str) -> str:
    """Return a resource name: pairs of a collection and an id."""
    if len(value) > _MAX_NAME_CHARACTERS or not _RESOURCE.fullmatch(value):
        raise MalformedRecord("Write resource names whole, as namespaces/default/models/mnist.")
    return value


def child(value: str, collection: str) -> str:
    """Return a resource name whose last collection is `collection`."""
    if resource(value).rsplit("/", 2)[-2] != collection:
        raise MalformedRecord(f"Give the resource name of one of {collection}.")
    return value


def principal(value: str) -> str:
    """Return the resource name of a principal: `principals/<uuid>`."""
    if not value.startswith("principals/"):
        raise MalformedRecord("Name a person as principals/ and their UUID.")
    uuid(value.removeprefix("principals/"))
    return value


def key_of(principal_name: str, key: str) -> str:
    """Return the resource name of a key that belongs to a principal."""
    principal(principal_name)
    if child(key, "keys").rsplit("/", 2)[0] != principal_name:
        raise MalformedRecord("Name a key of the signer, as principals/<uuid>/keys/<id>.")
    return key


def slug(value: str) -> str:
    """Return the id of a step, a role or a reason within its policy."""
    if not _SLUG.fullmatch(value):
        raise MalformedRecord(
            "Write steps, roles and codes as 1 to 63 of a to z, 0 to 9 and -, a letter first."
        )
    return value


def nonce(value: str) -> bytes:
    """Return the bytes of a nonce."""
    return hexadecimal(value, _MIN_NONCE_BYTES, _MAX_NONCE_BYTES)


def commitment(value: str) -> bytes:
    """Return the bytes of a commitment to a personal text."""
    return hexadecimal(value, _COMMITMENT_BYTES)


def hexadecimal(value: str, least: int, most: int | None = None) -> bytes:
    """Return the bytes, `least` (or up to `most`) of them, that lower-case hexadecimal spells."""
    if not _HEX.fullmatch(value) or not least <= len(value) // 2 <= (most or least):
        raise MalformedRecord(f"Write {least} bytes or more in lower-case hexadecimal digits.")
    return bytes.fromhex(value)


def integer(value: str) -> int:
    """Return the integer that a decimal string of up to nine digits spells."""
    if not _INTEGER.fullmatch(value):
        raise MalformedRecord("Write integers as decimal digits without leading zeros.")
    return int(value)


def time_text(value: datetime) -> str:
    """Return a UTC time of whole seconds in RFC 3339: `2026-11-24T13:24:09Z`."""
    if value.utcoffset() is None or value.utcoffset() != UTC.utcoffset(None) or value.microsecond:
        raise MalformedRecord("Give times in UTC and in whole seconds.")
    return value.replace(tzinfo=None).isoformat() + "Z"


def time(value: str) -> datetime:
    """Return the time that `time_text` wrote."""
    if not _TIME.fullmatch(value):
        raise MalformedRecord("Write times as 2026-11-24T13:24:09Z.")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedRecord("Write times that exist in the calendar.") from error
