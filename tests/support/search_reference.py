"""Search as a few lines of Python: what a registry knows at each revision, and what a filter finds.

The reference for the real search: it reads events, and never the rows or the SQL of the service.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    ModelArchived,
    ModelCreated,
    ModelRenamed,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
    StageSet,
    StageUnset,
)
from assay_serve.filter_parser import And, Expression, Not, Or, Restriction

Value = str | int | float | datetime
_CARD = ("purpose", "limits", "data", "metrics", "ethics", "licence")


@dataclass(frozen=True)
class Entry:
    """A model or a version: fields with one value, maps and lists of names."""

    name: str
    registered: int
    values: Mapping[str, Value]
    maps: Mapping[str, Sequence[tuple[str, Value]]] = field(default_factory=dict)
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def with_values(self, **values: Value) -> "Entry":
        """Return it with other values."""
        return replace(self, values={**self.values, **values})


@dataclass(frozen=True)
class State:
    """All models and versions by name, as of one revision."""

    models: Mapping[str, Entry] = field(default_factory=dict)
    versions: Mapping[str, Entry] = field(default_factory=dict)
    holders: frozenset[tuple[str, str]] = frozenset()

    def found_versions(self) -> Iterator[Entry]:
        """Yield the versions, with what their models and their holdings say."""
        for version in self.versions.values():
            model = self.models[version.name.rpartition("/versions/")[0]]
            held = [target.split("/")[-2:] for target, name in self.holders if name == version.name]
            lists = {
                "alias": frozenset(label for kind, label in held if kind == "aliases"),
                "stage": frozenset(label for kind, label in held if kind == "stages"),
                "owner": model.lists["owner"],
            }
            values = {name: model.values[name] for name in ("display_name", "tier")}
            yield replace(
                version, lists={**version.lists, **lists}, values={**version.values, **values}
            )


def after(state: State, event: Message, revision: int, at: datetime) -> State:
    """Return what is known after an event."""
    match event:
        case ModelCreated():
            return _with_model(state, _model(event, revision, at))
        case ModelRenamed():
            model = state.models[event.name]
            return _with_model(
                state, model.with_values(display_name=event.display_name, update_time=at)
            )
        case ModelArchived():
            model = state.models[event.name]
            return _with_model(state, model.with_values(state="ARCHIVED", update_time=at))
        case ModelUpdated():
            return _with_model(state, _updated(state.models[event.name], event, at))
        case ModelVersionRegistered():
            return _with_version(state, _version(event, revision, at))
        case ModelVersionUpdated():
            return _with_version(state, _updated(state.versions[event.name], event, at))
        case ModelVersionSealed():
            sealed = {"state": "ACTIVE", "manifest_digest": event.manifest_digest}
            version = state.versions[event.name].with_values(**sealed, update_time=at)
            return _with_version(state, version)
        case ModelVersionArchived() | ModelVersionRestored():
            now = "ARCHIVED" if isinstance(event, ModelVersionArchived) else "ACTIVE"
            version = state.versions[event.name].with_values(state=now, update_time=at)
            return _with_version(state, version)
        case AliasSet() | StageSet():
            kept = {held for held in state.holders if held[0] != event.name}
            return replace(state, holders=frozenset(kept | {(event.name, event.version)}))
        case AliasUnset() | StageUnset():
            gone = {held for held in state.holders if held[0] == event.name}
            return replace(state, holders=state.holders - gone)
    return state


def matches(expression: Expression, entry: Entry) -> bool:
    """Return whether `entry` is what `expression` asks for."""
    match expression:
        case And(terms=terms):
            return all(matches(term, entry) for term in terms)
        case Or(terms=terms):
            return any(matches(term, entry) for term in terms)
        case Not(term=term):
            return not matches(term, entry)
        case Restriction():
            return _fulfils(expression, entry)


def has_words(text: str, entry: Entry) -> bool:
    """Return whether all words of `text` are in the name, the description and the card."""
    said = [str(value) for name, value in entry.values.items() if name in _SAID]
    return set(text.lower().split()) <= set(" ".join(said).lower().split())


_SAID = {"model", "description", *(f"card.{part}" for part in _CARD)}


def _with_model(state: State, model: Entry) -> State:
    return replace(state, models={**state.models, model.name: model})


def _with_version(state: State, version: Entry) -> State:
    return replace(state, versions={**state.versions, version.name: version})


def _model(event: ModelCreated, revision: int, at: datetime) -> Entry:
    values: dict[str, Value] = {
        "model_id": event.name.rpartition("/")[2],
        "display_name": event.name.rpartition("/")[2],
        "state": "ACTIVE",
        "tier": event.tier,
        "description": event.description,
        "intended_use": event.intended_use,
        "create_time": at,
        "update_time": at,
    }
    maps = {"tags": list(event.tags.items())}
    return Entry(event.name, revision, values, maps, {"owner": frozenset(event.owners)})


def _version(event: ModelVersionRegistered, revision: int, at: datetime) -> Entry:
    values: dict[str, Value] = {
        "model": event.name.split("/")[3],
        "number": event.number,
        "state": "DRAFT" if event.is_draft else "ACTIVE",
        "create_time": at,
        "update_time": at,
        "manifest_digest": event.manifest_digest,
        "run": event.run,
        "description": event.description,
        "semantic_version": event.semantic_version,
        "format": event.format.name,
        "imported.source": event.imported.source,
        **_card(event),
    }
    maps: dict[str, Sequence[tuple[str, Value]]] = {
        "tags": list(event.tags.items()),
        "params": list(event.params.items()),
        "metrics": [(metric.key, metric.value) for metric in event.metrics],
    }
    return Entry(event.name, revision, values, maps, {"parent": frozenset(event.parent_versions)})


def _updated(entry: Entry, event: ModelUpdated | ModelVersionUpdated, at: datetime) -> Entry:
    entry = entry.with_values(update_time=at)
    for path in event.update_mask.paths:
        match path:
            case "tags":
                tags = list(event.fields.tags.items())
                entry = replace(entry, maps={**entry.maps, "tags": tags})
            case "owners":
                owners = frozenset(event.fields.owners)
                entry = replace(entry, lists={**entry.lists, "owner": owners})
            case "card":
                entry = entry.with_values(**_card(event.fields))
            case _:
                entry = entry.with_values(**{path: getattr(event.fields, path)})
    return entry


def _card(said: Message) -> dict[str, Value]:
    card: Message = getattr(said, "card")  # noqa: B009 - of several kinds of messages
    parts = {f"card.{part}": getattr(card, part) for part in (*_CARD, "schema")}
    filled = sum(bool(parts[f"card.{part}"]) for part in _CARD)
    return {**parts, "card_completeness": filled / len(_CARD)}


def _fulfils(asked: Restriction, entry: Entry) -> bool:
    if asked.field in entry.maps:
        return _has(entry.maps[asked.field], asked)
    if asked.field in entry.lists:
        comparator = "=" if asked.comparator == ":" else asked.comparator
        plain = replace(asked, comparator=comparator)
        return any(_compare(name, plain) for name in entry.lists[asked.field])
    value = entry.values[f"{asked.field}.{asked.key}" if asked.key else asked.field]
    if asked.field == "run" and asked.comparator == ":":
        return value == asked.value or str(value).startswith(f"{asked.value}/")
    return _compare(value, asked)


def _has(entries: Iterable[tuple[str, Value]], asked: Restriction) -> bool:
    if not asked.key:
        return any(key == asked.value for key, _ in entries)
    values = [value for key, value in entries if key == asked.key]
    if asked.comparator == ":" and asked.value == "*" and not asked.is_quoted:
        return bool(values)
    return any(_compare(value, asked) for value in values)


def _compare(value: Value, asked: Restriction) -> bool:
    if asked.comparator == "IN":
        return any(value == _as(value, wanted) for wanted in asked.values)
    if asked.comparator == "LIKE":
        return _is_like(str(value), asked.value)
    if asked.comparator == ":":
        return asked.value in str(value)
    wanted = _as(value, asked.value)
    if asked.comparator in {"=", "!="}:
        return (value == wanted) is (asked.comparator == "=")
    # In Python too, text is in the order of its code points.
    is_less, is_equal = value < wanted, value == wanted  # type: ignore[operator]
    return {
        "<": is_less,
        "<=": is_less or is_equal,
        ">": not is_less and not is_equal,
        ">=": not is_less,
    }[asked.comparator]


def _as(value: Value, text: str) -> Value:
    """Return what a text means where `value` stands."""
    match value:
        case datetime():
            return datetime.fromisoformat(text)
        case int():
            return int(text)
        case float():
            return float(text)
        case _:
            return text


def _is_like(text: str, pattern: str) -> bool:
    tokens = re.findall(r"\\(.)|(.)", pattern, re.DOTALL)
    signs = {"%": ".*", "_": "."}
    wanted = "".join(
        re.escape(quoted) or signs.get(bare, re.escape(bare)) for quoted, bare in tokens
    )
    return re.fullmatch(wanted, text, re.DOTALL) is not None
