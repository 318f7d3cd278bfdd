"""The free fields of models and versions: which values they take, and what an update changes."""

import re
import unicodedata
from collections.abc import Iterable

from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelFields
from assay.metadata.v1.resources_pb2 import ModelCard
from assay.names import MalformedName, slug
from assay_events.decider import Invalid

CARD_SCHEMA = "assay/card/v1"
_NAMES = frozenset(field.name for field in ModelFields.DESCRIPTOR.fields)
MAX_OWNER_CHARACTERS = 128
# The grammar of semver.org: three numbers, then what comes before a release, then the build.
_NUMBER = r"(?:0|[1-9][0-9]*)"
_BEFORE = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMANTIC_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_BEFORE}(?:\.{_BEFORE})*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+\Z")
_PASSWORD = re.compile(r"[^/?#]*://[^/?#@]*:[^/?#]*@")


def only(fields: ModelFields, paths: Iterable[str]) -> ModelFields:
    """Return the fields in `paths`, and no other."""
    kept = ModelFields()
    kept.CopyFrom(fields)
    _clear(kept, _NAMES.difference(paths))
    return kept


def changed(paths: Iterable[str], given: ModelFields, current: ModelFields) -> list[str]:
    """Return those of `paths` whose value in `given` differs from the current one, sorted."""
    return sorted(path for path in paths if only(given, [path]) != only(current, [path]))


def after(current: ModelFields, paths: Iterable[str], fields: ModelFields) -> ModelFields:
    """Return the fields after an update: those in `paths` have their new values."""
    wanted = frozenset(paths)
    updated = only(current, _NAMES - wanted)
    updated.MergeFrom(only(fields, wanted))
    return updated


def _clear(message: Message, names: Iterable[str]) -> None:
    for name in names:
        message.ClearField(name)


def check(fields: ModelFields) -> None:
    """Refuse an owner, a tier or a card that is not of its form."""
    for owner in fields.owners:
        _check_owner(owner)
    if len(set(fields.owners)) < len(fields.owners):
        raise _malformed("Name each owner once.", "owners")
    if fields.tier:
        _check_tier(fields.tier)
    if fields.HasField("card"):
        check_card(fields.card)


def check_card(card: ModelCard) -> None:
    """Refuse a card of a form that is not known here."""
    if card.ListFields() and card.schema != CARD_SCHEMA:
        raise _malformed(f"Write the card by {CARD_SCHEMA}, and say so in its schema.", "card")


def check_semantic_version(text: str) -> None:
    """Refuse what is no semantic version."""
    if text and not _SEMANTIC_VERSION.match(text):
        raise _malformed(
            "Give a semantic version as semver.org has it, such as 2.1.0.", "semantic_version"
        )


def check_external_uri(uri: str) -> None:
    """Refuse what is no URI, and a password in one: the log keeps it for ever."""
    if uri and not _URI.match(uri):
        raise _malformed("Give a URI, such as oci://host/name.", "external_uri")
    if _PASSWORD.match(uri):
        raise _malformed(
            "Take the password out of the URI: the log keeps it for ever.", "external_uri"
        )


def _check_owner(owner: str) -> None:
    if not owner.strip() or len(owner) > MAX_OWNER_CHARACTERS:
        raise _malformed(f"Name each owner in 1 to {MAX_OWNER_CHARACTERS} characters.", "owners")
    if any(unicodedata.category(character).startswith("C") for character in owner):
        raise _malformed("Name each owner without control characters.", "owners")


def _check_tier(tier: str) -> None:
    try:
        slug(tier)
    except MalformedName as error:
        raise _malformed("Give a tier of lower-case letters, digits and hyphens.", "tier") from (
            error
        )


def _malformed(message: str, field: str) -> Invalid:
    return Invalid(Reason.REASON_MALFORMED, message, field=field)
