"""Which rows each event of metadata means. No clock, no rule, no look at other rows."""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files

from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionUpdated,
    NamespaceCreated,
    StageSet,
    StageUnset,
)
from assay.names import ModelName, VersionName
from assay_events.envelope import Recorded
from assay_events.projection import Add, Change, Drop, Projection, Put, Write
from assay_metadata.projection import history

_ABOUT_VERSIONS = (ModelVersionRegistered, ModelVersionUpdated, ModelVersionArchived)


def apply(recorded: Recorded) -> Iterator[Write]:
    """Yield what `recorded` means for the tables."""
    event = recorded.event
    if event is None:
        raise TypeError(f"Decode the event at revision {recorded.revision} first.")
    match event:
        case NamespaceCreated():
            yield _namespace(event, recorded)
            return
        case ModelCreated():
            yield from _model(event, recorded)
        case ModelUpdated():
            yield Change("model", {"name": event.name}, _changed(event, recorded))
            yield from _tags("model_tag", {"model": event.name}, event)
        case ModelArchived() | ModelRestored():
            state = "ARCHIVED" if isinstance(event, ModelArchived) else "ACTIVE"
            changes = {"state": state, "update_time": recorded.time}
            yield Change("model", {"name": event.name}, changes)
        case ModelVersionRegistered():
            yield from _version(event, recorded)
        case ModelVersionUpdated():
            changes = _changed(event, recorded) | {"revision": recorded.revision}
            yield Change("version", _version_key(event.name), changes)
            yield from _tags("version_tag", _version_key(event.name), event)
        case ModelVersionArchived():
            changes = {"state": "ARCHIVED", "update_time": recorded.time}
            changes |= {"revision": recorded.revision}
            yield Change("version", _version_key(event.name), changes)
        case AliasSet() | StageSet():
            yield _holding(event, recorded)
        case AliasUnset() | StageUnset():
            yield Drop("holding", {"name": event.name})
        case GrantEnded():
            yield Change("model", {"name": event.name}, {"update_time": recorded.time})
        case GrantedMoveRefused():
            pass  # nothing but the history and the etag
        case _:
            raise TypeError(f"Say what rows {event.DESCRIPTOR.full_name} means.")
    yield _history(event, recorded)
    if not isinstance(event, _ABOUT_VERSIONS):  # the etag of a version is in its own row
        yield Put("mark", {"name": recorded.name, "revision": recorded.revision})


def _namespace(event: NamespaceCreated, recorded: Recorded) -> Write:
    row = {
        "name": event.name,
        "description": event.description,
        "create_time": recorded.time,
        "revision": recorded.revision,
    }
    return Add("namespace", row)


def _model(event: ModelCreated, recorded: Recorded) -> Iterator[Write]:
    name = ModelName.parse(event.name)
    yield Put(
        "model",
        {
            "name": event.name,
            "namespace": str(name.parent),
            "model_id": name.model,
            "state": "ACTIVE",
            "description": event.description,
            "tags": _json(event.tags),
            "create_time": recorded.time,
            "update_time": recorded.time,
        },
    )
    for key, value in event.tags.items():
        yield Put("model_tag", {"model": event.name, "key": key, "value": value})


def _version(event: ModelVersionRegistered, recorded: Recorded) -> Iterator[Write]:
    key = _version_key(event.name)
    metrics = [
        {"key": m.key, "value": m.value, "unit": m.unit, "dataset": m.dataset}
        for m in event.metrics
    ]
    yield Put(
        "version",
        key
        | {
            "state": "ACTIVE",
            "manifest_digest": event.manifest_digest,
            "description": event.description,
            "metrics": json.dumps(metrics, ensure_ascii=False),
            "params": _json(event.params),
            "tags": _json(event.tags),
            "run": event.run,
            "size_bytes": event.size_bytes,
            "file_count": event.file_count,
            "creator": recorded.actor.principal,
            "create_time": recorded.time,
            "update_time": recorded.time,
            "revision": recorded.revision,
        },
    )
    for tag, value in event.tags.items():
        yield Put("version_tag", key | {"key": tag, "value": value})
    sealed = key | {"revision": recorded.revision}
    for param, value in event.params.items():
        yield Add("version_param", sealed | {"key": param, "value": value})
    for place, metric in enumerate(event.metrics):
        row = {"place": place, "key": metric.key, "value": metric.value}
        yield Add("version_metric", sealed | row)


def _holding(event: AliasSet | StageSet, recorded: Recorded) -> Write:
    row = {
        "name": event.name,
        "model": _model_of(event.name),
        "kind": "alias" if isinstance(event, AliasSet) else "stage",
        "label": event.name.rpartition("/")[2],
        "number": _version_key(event.version)["number"],
        "approval": event.approval,
        "actor": recorded.actor.principal,
        "time": recorded.time,
    }
    return Put("holding", row)


def _history(event: Message, recorded: Recorded) -> Write:
    row = {
        "revision": recorded.revision,
        "model": _model_of(recorded.name),
        "time": recorded.time,
        "actor": recorded.actor.principal,
        "type": recorded.envelope.type,
        "resource": recorded.name,
        "reason": recorded.reason,
        "changes": history.lines(event),
    }
    return Add("history", row)


def _changed(event: ModelUpdated | ModelVersionUpdated, recorded: Recorded) -> dict[str, object]:
    """Return the columns that an update changes."""
    columns: dict[str, object] = {"update_time": recorded.time}
    if "description" in event.update_mask.paths:
        columns["description"] = event.fields.description
    if "tags" in event.update_mask.paths:
        columns["tags"] = _json(event.fields.tags)
    return columns


def _tags(
    table: str, key: Mapping[str, object], event: ModelUpdated | ModelVersionUpdated
) -> Iterator[Write]:
    """Yield a row for each tag that an update set or took away."""
    if "tags" not in event.update_mask.paths:
        return
    before: ModelFields = event.previous_fields
    for tag, value in event.fields.tags.items():
        if before.tags.get(tag) != value:
            yield Put(table, {**key, "key": tag, "value": value})
    for tag in before.tags.keys() - event.fields.tags.keys():
        yield Drop(table, {**key, "key": tag})


def _version_key(name: str) -> dict[str, object]:
    version = VersionName.parse(name)
    return {"model": str(version.parent), "number": version.number}


def _model_of(name: str) -> str:
    """Return the model at the beginning of a resource name."""
    return "/".join(name.split("/")[:4])


def _json(entries: Mapping[str, str]) -> str:
    return json.dumps(dict(entries), ensure_ascii=False, sort_keys=True)


METADATA = Projection(
    name="metadata",
    schema=files("assay_metadata").joinpath("schema.sql").read_text(encoding="utf-8"),
    events=(
        NamespaceCreated,
        ModelCreated,
        ModelUpdated,
        ModelArchived,
        ModelRestored,
        ModelVersionRegistered,
        ModelVersionUpdated,
        ModelVersionArchived,
        AliasSet,
        AliasUnset,
        StageSet,
        StageUnset,
        GrantedMoveRefused,
        GrantEnded,
    ),
    apply=apply,
)
