"""The rules of a run: recorded once, as it ended, and never changed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from assay.error.v1.error_reason_pb2 import Reason
from assay.lineage.v1.events_pb2 import RunRecorded
from assay.lineage.v1.resources_pb2 import Code, Dataset
from assay.lineage.v1.resources_pb2 import Run as RunFields
from assay.names import MalformedName, RunName, VersionName
from assay.type.v1.metric_pb2 import Metric
from assay_events.decider import Decider, Invalid
from assay_trust import digests
from assay_trust.errors import MalformedDigest


@dataclass(frozen=True, slots=True)
class Record:
    """Record what went into a run and what came out; its versions are known to exist."""

    name: RunName
    run: RunFields


@dataclass(frozen=True, slots=True)
class Run:
    """What the rules remember of a run: that it is there."""

    name: str = ""


def decide(command: Record, state: Run) -> Sequence[RunRecorded]:
    """Return the facts that `command` brings about; raise a refusal if a rule forbids it."""
    if state.name:
        return []
    _check_metrics(command.run.metrics)
    _check_code(command.run.code)
    _check_datasets(command.run.input_datasets)
    _check_versions(command.name, command.run)
    _check_times(command.run)
    return [_recorded(command)]


def evolve(_: Run, event: RunRecorded) -> Run:
    """Return the state after `event`."""
    return Run(event.name)


def _recorded(command: Record) -> RunRecorded:
    run = command.run
    event = RunRecorded(
        name=str(command.name),
        display_name=run.display_name,
        params=run.params,
        metrics=run.metrics,
        input_datasets=run.input_datasets,
        input_versions=_normal(run.input_versions),
        output_versions=_normal(run.output_versions),
    )
    if run.HasField("code"):
        event.code.CopyFrom(run.code)
    if run.HasField("start_time"):
        event.start_time.CopyFrom(run.start_time)
    if run.HasField("end_time"):
        event.end_time.CopyFrom(run.end_time)
    return event


def _check_metrics(metrics: Iterable[Metric]) -> None:
    seen = set()
    for metric in metrics:
        if not metric.key:
            raise Invalid(Reason.REASON_REQUIRED, "Name each metric.", "run.metrics")
        if not math.isfinite(metric.value):
            text = f"The metric {metric.key} must be a finite number."
            raise Invalid(Reason.REASON_NOT_FINITE, text, "run.metrics")
        if (metric.key, metric.dataset) in seen:
            text = f"Give the metric {metric.key} once a dataset."
            raise Invalid(Reason.REASON_MALFORMED, text, "run.metrics")
        seen.add((metric.key, metric.dataset))


def _check_code(code: Code) -> None:
    if bool(code.repository) != bool(code.commit):
        text = "Give both repository and commit of the code, or leave it away."
        raise Invalid(Reason.REASON_REQUIRED, text, "run.code")


def _check_datasets(datasets: Iterable[Dataset]) -> None:
    seen = set()
    for dataset in datasets:
        try:
            digests.parse(dataset.digest)
        except MalformedDigest as error:
            raise Invalid(Reason.REASON_MALFORMED, str(error), "run.input_datasets") from error
        if dataset.digest in seen:
            text = f"Name the dataset {dataset.digest} once."
            raise Invalid(Reason.REASON_MALFORMED, text, "run.input_datasets")
        seen.add(dataset.digest)


def _check_versions(name: RunName, run: RunFields) -> None:
    _check_names(name, run.input_versions, "run.input_versions")
    _check_names(name, run.output_versions, "run.output_versions")
    for version in set(_normal(run.input_versions)) & set(_normal(run.output_versions)):
        text = f"{version} can not be both input and output of a run."
        raise Invalid(Reason.REASON_MALFORMED, text, "run.output_versions")


def _check_names(name: RunName, versions: Iterable[str], field: str) -> None:
    for version in versions:
        try:
            parsed = VersionName.parse(version)
        except MalformedName as error:
            raise Invalid(Reason.REASON_MALFORMED, str(error), field) from error
        if parsed.namespace != name.namespace:
            text = f"{version} must lie in namespaces/{name.namespace}, as the run does."
            raise Invalid(Reason.REASON_MALFORMED, text, field)


def _normal(versions: Iterable[str]) -> list[str]:
    """Return each version once, spelled as its resource name is."""
    return list(dict.fromkeys(str(VersionName.parse(version)) for version in versions))


def _check_times(run: RunFields) -> None:
    _check_time(run.start_time, "run.start_time")
    _check_time(run.end_time, "run.end_time")
    if not (run.HasField("start_time") and run.HasField("end_time")):
        return
    if run.end_time.ToNanoseconds() < run.start_time.ToNanoseconds():
        text = "A run must not end before it starts."
        raise Invalid(Reason.REASON_MALFORMED, text, "run.end_time")


def _check_time(time: Timestamp, field: str) -> None:
    try:
        time.ToJsonString()
    except ValueError as error:
        text = "Give a time between the years 1 and 9999."
        raise Invalid(Reason.REASON_MALFORMED, text, field) from error


RUN: Decider[Record, Run, RunRecorded] = Decider(
    "lineage", "run", Run(), decide, evolve, (RunRecorded,)
)
