"""What each event means for the runs and the graph."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.resources import files

from google.protobuf.timestamp_pb2 import Timestamp

from assay.lineage.v1.events_pb2 import RunRecorded
from assay.metadata.v1.events_pb2 import ModelVersionRegistered, ModelVersionSealed
from assay.names import ArtifactName, DatasetName, NamespaceName, RunName, VersionName
from assay_events.envelope import Recorded
from assay_events.projection import Add, Projection, Put, Write
from assay_lineage.queries.graph import code_node


def apply(recorded: Recorded) -> Iterable[Write]:
    """Return the rows that `recorded` means."""
    match recorded.event:
        case RunRecorded() as event:
            yield _run(recorded, event)
            yield from _run_parts(recorded, event)
            yield from _run_nodes(event)
            yield from _edges(recorded, _run_edges(event))
        case ModelVersionRegistered() as event:
            yield _node(event.name, "")
            yield from _edges(recorded, _version_edges(event))
        case ModelVersionSealed() as event:
            yield from _edges(recorded, _file_edges(event.name, event.manifest_digest))
        case _:
            return


def _run(recorded: Recorded, event: RunRecorded) -> Write:
    row: dict[str, object] = {
        "revision": recorded.revision,
        "name": event.name,
        "namespace": str(_namespace(event)),
        "create_time": recorded.time,
        "creator": recorded.actor.on_behalf_of or recorded.actor.principal,
        "display_name": event.display_name,
        "params": json.dumps(dict(event.params), sort_keys=True),
        "repository": event.code.repository,
        "commit": event.code.commit,
        "input_versions": list(event.input_versions),
        "start_time": _time(event.start_time) if event.HasField("start_time") else None,
        "end_time": _time(event.end_time) if event.HasField("end_time") else None,
    }
    return Add("run", row)


def _run_parts(recorded: Recorded, event: RunRecorded) -> Iterable[Write]:
    for place, metric in enumerate(event.metrics):
        row: dict[str, object] = {
            "revision": recorded.revision,
            "place": place,
            "run": event.name,
            "key": metric.key,
            "value": metric.value,
            "unit": metric.unit,
            "dataset": metric.dataset,
        }
        yield Add("run_metric", row)
    for place, dataset in enumerate(event.input_datasets):
        row = {
            "revision": recorded.revision,
            "place": place,
            "run": event.name,
            "display_name": dataset.display_name,
            "digest": dataset.digest,
            "uri": dataset.uri,
        }
        yield Add("run_dataset", row)


def _run_nodes(event: RunRecorded) -> Iterable[Write]:
    namespace = _namespace(event)
    yield _node(event.name, event.display_name)
    for dataset in event.input_datasets:
        if dataset.display_name:
            yield _node(str(DatasetName.of(namespace, dataset.digest)), dataset.display_name)
    if event.code.commit:
        name = f"{event.code.repository}@{event.code.commit}"
        yield _node(code_node(namespace, event.code.repository, event.code.commit), name)


def _run_edges(event: RunRecorded) -> Iterable[tuple[str, str]]:
    namespace = _namespace(event)
    for dataset in event.input_datasets:
        yield str(DatasetName.of(namespace, dataset.digest)), event.name
    if event.code.commit:
        yield code_node(namespace, event.code.repository, event.code.commit), event.name
    for version in event.input_versions:
        yield version, event.name
    for version in event.output_versions:
        yield event.name, version


def _version_edges(event: ModelVersionRegistered) -> Iterable[tuple[str, str]]:
    yield from _file_edges(event.name, event.manifest_digest)
    if event.run:
        yield event.run, event.name
    for parent in event.parent_versions:
        yield parent, event.name


def _file_edges(version: str, manifest_digest: str) -> Iterable[tuple[str, str]]:
    """Return what a version has of its files, nothing while it is a draft."""
    if manifest_digest:
        namespace = NamespaceName(VersionName.parse(version).namespace)
        yield str(ArtifactName.of(namespace, manifest_digest)), version


def _edges(recorded: Recorded, pairs: Iterable[tuple[str, str]]) -> Iterable[Write]:
    for from_node, to_node in dict.fromkeys(pairs):
        row: dict[str, object] = {
            "revision": recorded.revision,
            "from_node": from_node,
            "to_node": to_node,
        }
        yield Add("edge", row)


def _node(name: str, display_name: str) -> Write:
    return Put("node", {"name": name, "display_name": display_name})


def _namespace(event: RunRecorded) -> NamespaceName:
    return NamespaceName(RunName.parse(event.name).namespace)


def _time(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=UTC)


LINEAGE = Projection(
    name="lineage",
    schema=(files(__package__ or "assay_lineage") / "schema.sql").read_text(),
    events=(RunRecorded, ModelVersionRegistered, ModelVersionSealed),
    apply=apply,
)
