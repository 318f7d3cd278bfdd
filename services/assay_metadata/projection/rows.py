"""Which rows each event of metadata means. No clock, no rule, no look at other rows."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.resources import files

from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    GrantRestored,
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelNameClaimed,
    ModelRenamed,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
    NamespaceCreated,
    NamespaceStageGraphSet,
    StageGraphSet,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import StageHolder
from assay.names import ModelName, VersionName
from assay_events.envelope import Recorded
from assay_events.projection import Add, Carry, Change, Drop, Projection, Put, Write
from assay_metadata.projection import columns, history
from assay_metadata.projection.field_changes import field_changes
from assay_metadata.queries import terms

# The etag of a version is in its own row, and a name that leads elsewhere has none.
_WITHOUT_MARK = (
    ModelVersionRegistered,
    ModelVersionSealed,
    ModelVersionUpdated,
    ModelVersionArchived,
    ModelVersionRestored,
    ModelNameClaimed,
)


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
        case ModelNameClaimed():
            yield _name(event, recorded)
        case ModelRenamed():
            yield _model_now(event, recorded, display_name=event.display_name)
        case ModelUpdated():
            yield Change("model", {"name": event.name}, _changed(event, recorded))
            yield from _tags("model_tag", {"model": event.name}, event)
        case ModelArchived():
            yield _model_now(event, recorded, state="ARCHIVED")
        case ModelRestored():
            yield _model_now(event, recorded, state="ACTIVE")
        case ModelVersionRegistered():
            yield from _version(event, recorded)
        case ModelVersionUpdated():
            yield from _version_updated(event, recorded)
        case ModelVersionSealed():
            yield Change("version", _version_key(event.name), _sealed(event, recorded))
        case ModelVersionArchived():
            yield _version_state(event.name, "ARCHIVED", recorded)
        case ModelVersionRestored():
            yield _version_state(event.name, "DRAFT" if event.is_draft else "ACTIVE", recorded)
        case AliasSet() | StageSet():
            yield from _moved(event, recorded)
        case AliasUnset() | StageUnset():
            yield Drop("holding", _holding_key(event.name, event.previous_version))
        case StageHoldersSet():
            yield from _holders(event, recorded)
        case StageGraphSet() | NamespaceStageGraphSet():
            yield _stage_graph(event, recorded)
        case GrantEnded() | GrantRestored():
            yield _model_now(event, recorded)
        case GrantedMoveRefused():
            pass  # nothing but the history and the etag
        case _:
            raise TypeError(f"Say what rows {event.DESCRIPTOR.full_name} means.")
    yield _history(event, recorded)
    if not isinstance(event, _WITHOUT_MARK):
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
            "display_name": name.model,
            "state": "ACTIVE",
            "create_time": recorded.time,
            "update_time": recorded.time,
        }
        | columns.described(event),
    )
    for key, value in event.tags.items():
        yield Put("model_tag", {"model": event.name, "key": key, "value": value})


def _name(event: ModelNameClaimed, recorded: Recorded) -> Write:
    row = {"name": event.name, "model": event.model, "revision": recorded.revision}
    return Add("model_name", row)


def _model_now(
    event: ModelRenamed | ModelArchived | ModelRestored | GrantEnded | GrantRestored,
    recorded: Recorded,
    **changes: str,
) -> Write:
    return Change("model", {"name": event.name}, {**changes, "update_time": recorded.time})


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
            "namespace": _namespace_of(event.name),
            "registered": recorded.revision,
            "state": "DRAFT" if event.is_draft else "ACTIVE",
            "manifest_digest": event.manifest_digest,
            "description": event.description,
            "metrics": json.dumps(metrics, ensure_ascii=False),
            "params": columns.entries(event.params),
            "tags": columns.entries(event.tags),
            "run": event.run,
            "size_bytes": event.size_bytes,
            "file_count": event.file_count,
            "creator": recorded.actor.principal,
            "create_time": recorded.time,
            "update_time": recorded.time,
            "revision": recorded.revision,
        }
        | columns.sealed(event),
    )
    yield from _said_of_a_version(event, key, recorded.revision)


def _said_of_a_version(
    event: ModelVersionRegistered, key: Mapping[str, object], registered: int
) -> Iterator[Write]:
    """Yield a row for each tag, param and metric."""
    namespace, seen = _namespace_of(event.name), Counter[str]()
    for tag, value in event.tags.items():
        row = {"key": tag, "value": value, "term": terms.tag(namespace, tag, value)}
        yield Put("version_tag", {**key, **row, "registered": registered})
    for param, value in event.params.items():
        row = {"key": param, "value": value, "term": terms.param(namespace, param, value)}
        yield Add("version_param", {**row, "registered": registered})
    for metric in event.metrics:
        values = {"nth": seen[metric.key], "value": metric.value, "registered": registered}
        seen[metric.key] += 1
        term = terms.metric(namespace, metric.key)
        yield Add("version_metric", {"key": metric.key, "term": term, **values})


def _moved(event: AliasSet | StageSet, recorded: Recorded) -> Iterator[Write]:
    """Yield the end of the holder before, and the new one."""
    if event.previous_version not in {"", event.version}:
        yield Drop("holding", _holding_key(event.name, event.previous_version))
    holder = StageHolder(version=event.version, approval=event.approval)
    yield _entered(event.name, holder, 0, recorded)


def _holders(event: StageHoldersSet, recorded: Recorded) -> Iterator[Write]:
    """Yield who left, who entered, and whose weight or approval is another."""
    before = {holder.version: holder for holder in event.previous_holders}
    after = {holder.version: holder for holder in event.holders}
    for version in before.keys() - after.keys():
        yield Drop("holding", _holding_key(event.name, version))
    for place, (version, holder) in enumerate(after.items()):
        if version not in before:
            yield _entered(event.name, holder, place, recorded)
        elif holder != before[version]:
            changes = {"weight": holder.weight, "approval": holder.approval}
            changes |= {"actor": recorded.actor.principal, "time": recorded.time}
            yield Change("holding", _holding_key(event.name, version), changes)


def _entered(name: str, holder: StageHolder, place: int, recorded: Recorded) -> Write:
    kind = "alias" if name.split("/")[-2] == "aliases" else "stage"
    label = name.rpartition("/")[2]
    row = _holding_key(name, holder.version) | {
        "model": _model_of(name),
        "kind": kind,
        "label": label,
        "term": terms.holding(_namespace_of(name), kind, label),
        "weight": holder.weight,
        "approval": holder.approval,
        "enter_revision": recorded.revision,
        "place": place,
        "actor": recorded.actor.principal,
        "time": recorded.time,
    }
    version = {"model": row["model"], "number": row["number"]}
    return Put("holding", row, _registered(version))


def _holding_key(name: str, version: str) -> dict[str, object]:
    return {"name": name, "number": VersionName.parse(version).number}


def _stage_graph(event: StageGraphSet | NamespaceStageGraphSet, recorded: Recorded) -> Write:
    rules = [
        {"stage": r.stage, "from_stages": list(r.from_stages), "max_holders": r.max_holders}
        for r in event.graph.rules
    ]
    row = {
        "name": event.name,
        "rules": json.dumps(rules, ensure_ascii=False),
        "time": recorded.time,
    }
    return Put("stage_graph", row)


def _history(event: Message, recorded: Recorded) -> Write:
    row = {
        "revision": recorded.revision,
        "model": event.model if isinstance(event, ModelNameClaimed) else _model_of(recorded.name),
        "time": recorded.time,
        "actor": recorded.actor.principal,
        "type": recorded.envelope.type,
        "resource": recorded.name,
        "reason": recorded.reason,
        "changes": history.lines(event),
        "field_changes": json.dumps(field_changes(event), ensure_ascii=False),
    }
    return Add("history", row)


def _changed(event: ModelUpdated | ModelVersionUpdated, recorded: Recorded) -> dict[str, object]:
    """Return the columns that an update changes."""
    return {"update_time": recorded.time} | columns.changed(event)


def _sealed(event: ModelVersionSealed, recorded: Recorded) -> dict[str, object]:
    """Return the columns of a draft that got its files."""
    return {
        "state": "ACTIVE",
        "manifest_digest": event.manifest_digest,
        "size_bytes": event.size_bytes,
        "file_count": event.file_count,
        "update_time": recorded.time,
        "revision": recorded.revision,
    }


def _version_updated(event: ModelVersionUpdated, recorded: Recorded) -> Iterator[Write]:
    changes = _changed(event, recorded) | {"revision": recorded.revision}
    yield Change("version", _version_key(event.name), changes)
    yield from _tags("version_tag", _version_key(event.name), event)


def _version_state(name: str, state: str, recorded: Recorded) -> Write:
    changes = {"state": state, "update_time": recorded.time, "revision": recorded.revision}
    return Change("version", _version_key(name), changes)


def _tags(
    table: str, key: Mapping[str, object], event: ModelUpdated | ModelVersionUpdated
) -> Iterator[Write]:
    """Yield a row for each tag that an update set or took away."""
    if "tags" not in event.update_mask.paths:
        return
    before: ModelFields = event.previous_fields
    for tag, value in event.fields.tags.items():
        if before.tags.get(tag) != value:
            row = {**key, "key": tag, "value": value}
            if table == "version_tag":
                term = terms.tag(_namespace_of(event.name), tag, value)
                yield Put(table, {**row, "term": term}, _registered(key))
            else:
                yield Put(table, row)
    for tag in before.tags.keys() - event.fields.tags.keys():
        yield Drop(table, {**key, "key": tag})


def _version_key(name: str) -> dict[str, object]:
    version = VersionName.parse(name)
    return {"model": str(version.parent), "number": version.number}


def _registered(key: Mapping[str, object]) -> Carry:
    """Return when a version was registered, for a row about it."""
    return Carry("version", key, {"registered": "registered"})


def _namespace_of(name: str) -> str:
    """Return the namespace at the beginning of a resource name."""
    return "/".join(name.split("/")[:2])


def _model_of(name: str) -> str:
    """Return the model at the beginning of a resource name."""
    return "/".join(name.split("/")[:4])


METADATA = Projection(
    name="metadata",
    schema=files("assay_metadata").joinpath("schema.sql").read_text(encoding="utf-8"),
    events=(
        NamespaceCreated,
        ModelCreated,
        ModelNameClaimed,
        ModelRenamed,
        ModelUpdated,
        ModelArchived,
        ModelRestored,
        ModelVersionRegistered,
        ModelVersionSealed,
        ModelVersionUpdated,
        ModelVersionArchived,
        ModelVersionRestored,
        AliasSet,
        AliasUnset,
        StageSet,
        StageUnset,
        StageHoldersSet,
        StageGraphSet,
        NamespaceStageGraphSet,
        GrantedMoveRefused,
        GrantEnded,
        GrantRestored,
    ),
    apply=apply,
)
