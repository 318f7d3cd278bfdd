"""Rows and events of lineage as messages."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.lineage.v1.events_pb2 import RunRecorded
from assay.lineage.v1.resources_pb2 import Code, Dataset, Edge, Node, NodeKind, Run
from assay.names import MalformedName, VersionName
from assay.type.v1.metric_pb2 import Metric
from assay_events.envelope import Recorded
from assay_lineage.queries.graph import Walk, kind_of
from assay_lineage.queries.runs import RunRows

_SHOWN_HEX = 12


def run_of_event(recorded: Recorded, event: RunRecorded) -> Run:
    """Return the run that an event recorded."""
    run = Run(
        name=event.name,
        etag=f'"{recorded.revision}"',
        display_name=event.display_name,
        params=event.params,
        metrics=event.metrics,
        input_datasets=event.input_datasets,
        input_versions=event.input_versions,
        output_versions=event.output_versions,
        creator=recorded.actor.on_behalf_of or recorded.actor.principal,
    )
    run.create_time.CopyFrom(recorded.envelope.time)
    if event.HasField("code"):
        run.code.CopyFrom(event.code)
    if event.HasField("start_time"):
        run.start_time.CopyFrom(event.start_time)
    if event.HasField("end_time"):
        run.end_time.CopyFrom(event.end_time)
    return run


def run_of_rows(rows: RunRows) -> Run:
    """Return the run that some rows make."""
    found = rows.run
    run = Run(
        name=found["name"],
        etag=f'"{found["revision"]}"',
        display_name=found["display_name"],
        params=found["params"],
        metrics=[
            Metric(key=m["key"], value=m["value"], unit=m["unit"], dataset=m["dataset"])
            for m in rows.metrics
        ],
        input_datasets=[
            Dataset(display_name=d["display_name"], digest=d["digest"], uri=d["uri"])
            for d in rows.datasets
        ],
        input_versions=found["input_versions"],
        output_versions=rows.output_versions,
        creator=found["creator"],
    )
    if found["commit"]:
        run.code.CopyFrom(Code(repository=found["repository"], commit=found["commit"]))
    _set_time(run.create_time, found["create_time"])
    _set_time(run.start_time, found["start_time"])
    _set_time(run.end_time, found["end_time"])
    return run


def nodes_of(walk: Walk) -> Iterable[Node]:
    """Return the nodes that a walk reached, nearest first."""
    for name, depth in walk.depths.items():
        kind = kind_of(name)
        shown = walk.display_names.get(name, "") or _spoken(name, kind)
        yield Node(name=name, kind=kind, display_name=shown, depth=depth)


def edges_of(walk: Walk) -> Iterable[Edge]:
    """Return the edges between the nodes that a walk reached."""
    for from_node, to_node, revision in walk.edges:
        yield Edge(from_node=from_node, to_node=to_node, revision=revision)


def _spoken(name: str, kind: NodeKind.ValueType) -> str:
    """Return what people call a node that has no name of its own, as in churn/3."""
    last = name.rpartition("/")[2]
    if kind != NodeKind.NODE_KIND_VERSION:
        digest = last.removeprefix("sha256-")
        return digest if digest == last else digest[:_SHOWN_HEX]
    try:
        version = VersionName.parse(name)
    except MalformedName:
        return last
    return f"{version.model}/{version.number}"


def _set_time(field: Timestamp, time: datetime | None) -> None:
    """Set the time of a message, but for one that is absent."""
    if time is not None:
        field.FromDatetime(time)
