"""What an event changed: each field with its value before and afterwards, as text."""

from collections.abc import Iterator, Mapping, Sequence

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    GrantRestored,
    ModelArchived,
    ModelCreated,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import ModelCard
from assay.type.v1.metric_pb2 import Metric

Values = dict[str, str]
_NOT_FIELDS = frozenset({"name", "approval", "is_draft", "number"})


def field_changes(event: Message) -> list[list[str]]:
    """Return `[field, value before, value afterwards]` for each field that `event` changed."""
    before, after = _values(event)
    fields = [*after, *(field for field in before if field not in after)]
    triples = ([field, before.get(field, ""), after.get(field, "")] for field in fields)
    return [triple for triple in triples if triple[1] != triple[2]]


def _values(event: Message) -> tuple[Values, Values]:
    match event:
        case ModelUpdated() | ModelVersionUpdated():
            paths = event.update_mask.paths
            return tuple(
                dict(_flat((path, getattr(fields, path)) for path in paths))
                for fields in (event.previous_fields, event.fields)
            )  # type: ignore[return-value] # two of them
        case GrantedMoveRefused() | GrantEnded() | GrantRestored():
            return {}, {}
        case AliasSet() | StageSet():
            return _kept("version", event.previous_version), _kept("version", event.version)
        case AliasUnset() | StageUnset():
            return _kept("version", event.previous_version), {}
    after = dict(_flat(_own(event)))
    before = dict(_flat(_previous(event)))
    was, becomes = _states(event)
    return _kept("state", was) | before, _kept("state", becomes) | after


def _states(event: Message) -> tuple[str, str]:
    """Return the state before and after, empty where it stays."""
    match event:
        case ModelCreated():
            return "", "ACTIVE"
        case ModelVersionRegistered():
            return "", "DRAFT" if event.is_draft else "ACTIVE"
        case ModelVersionSealed():
            return "DRAFT", "ACTIVE"
        case ModelArchived() | ModelVersionArchived():
            return "ACTIVE", "ARCHIVED"
        case ModelRestored():
            return "ARCHIVED", "ACTIVE"
        case ModelVersionRestored():
            return "ARCHIVED", "DRAFT" if event.is_draft else "ACTIVE"
        case _:
            return "", ""


def _own(event: Message) -> Iterator[tuple[str, object]]:
    for field, value in event.ListFields():
        if field.name not in _NOT_FIELDS and not field.name.startswith("previous_"):
            yield field.name, value


def _previous(event: Message) -> Iterator[tuple[str, object]]:
    for field, value in event.ListFields():
        if field.name.startswith("previous_"):
            yield field.name.removeprefix("previous_"), value


def _flat(fields: Iterator[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield the parts of each field, as far as people tell them apart."""
    for name, value in fields:
        match value:
            case ModelCard():
                yield from ((f"{name}.{part.name}", str(text)) for part, text in value.ListFields())
            case Message():
                yield name, MessageToJson(value, indent=None, sort_keys=True)
            case str():
                yield name, value
            case Mapping():
                yield from ((f"{name}.{key}", str(value[key])) for key in sorted(value))
            case Sequence():
                yield from _listed(name, value)
            case _:
                yield name, str(value)


def _listed(name: str, values: Sequence[object]) -> Iterator[tuple[str, str]]:
    if values and isinstance(values[0], Metric):
        for metric in values:
            if isinstance(metric, Metric):
                dataset = f"[{metric.dataset}]" if metric.dataset else ""
                yield f"{name}.{metric.key}{dataset}", repr(metric.value)
        return
    texts = (
        MessageToJson(value, indent=None, sort_keys=True) if isinstance(value, Message) else value
        for value in values
    )
    yield name, ", ".join(map(str, texts))


def _kept(field: str, value: str) -> Values:
    return {field: value} if value else {}
