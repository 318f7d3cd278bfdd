"""The rules of a run."""

import math

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from assay.error.v1.error_reason_pb2 import Reason
from assay.lineage.v1.events_pb2 import RunRecorded
from assay.lineage.v1.resources_pb2 import Code, Dataset, Run
from assay.names import RunName
from assay.type.v1.metric_pb2 import Metric
from assay_events.decider import Invalid
from assay_events.spec import Spec
from assay_lineage.domain.run import RUN, Record

NAME = RunName.parse("namespaces/default/runs/5f2a0000-0000-4000-8000-000000000001")
DIGEST = "sha256:" + "9f" * 32
BASE = "namespaces/default/models/base/versions/1"
CHURN = "namespaces/default/models/churn/versions/3"

run = Spec(RUN)


def refused(given: Run, reason: Reason.ValueType, field: str) -> None:
    refusal = run.when(Record(NAME, given)).then_rejected(reason)
    assert isinstance(refusal, Invalid)
    assert refusal.field == field


def test_a_run_is_recorded_with_all_that_was_said() -> None:
    given = Run(
        display_name="nightly",
        params={"depth": "6"},
        metrics=[Metric(key="accuracy", value=0.97)],
        code=Code(repository="https://git.example.org/churn", commit="3f78"),
        input_datasets=[Dataset(display_name="customers", digest=DIGEST, uri="s3://data")],
        input_versions=[BASE],
        output_versions=[CHURN],
        start_time=Timestamp(seconds=10),
        end_time=Timestamp(seconds=20),
    )
    run.when(Record(NAME, given)).then(
        RunRecorded(
            name=str(NAME),
            display_name="nightly",
            params={"depth": "6"},
            metrics=[Metric(key="accuracy", value=0.97)],
            code=Code(repository="https://git.example.org/churn", commit="3f78"),
            input_datasets=[Dataset(display_name="customers", digest=DIGEST, uri="s3://data")],
            input_versions=[BASE],
            output_versions=[CHURN],
            start_time=Timestamp(seconds=10),
            end_time=Timestamp(seconds=20),
        )
    )


def test_an_empty_run_says_nothing_that_was_not_said() -> None:
    run.when(Record(NAME, Run())).then(RunRecorded(name=str(NAME)))


def test_a_recorded_run_does_not_change() -> None:
    recorded = RunRecorded(name=str(NAME))
    run.given(recorded).when(Record(NAME, Run(display_name="other"))).then_nothing()


def test_a_version_named_twice_went_in_once() -> None:
    given = Run(input_versions=[BASE, BASE])
    run.when(Record(NAME, given)).then(RunRecorded(name=str(NAME), input_versions=[BASE]))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_is_a_finite_number(value: float) -> None:
    given = Run(metrics=[Metric(key="loss", value=value)])
    refused(given, Reason.REASON_NOT_FINITE, "run.metrics")


def test_a_metric_has_a_name() -> None:
    refused(Run(metrics=[Metric(value=1)]), Reason.REASON_REQUIRED, "run.metrics")


def test_a_metric_is_given_once_a_dataset() -> None:
    twice = [Metric(key="loss", value=1), Metric(key="loss", value=2)]
    refused(Run(metrics=twice), Reason.REASON_MALFORMED, "run.metrics")


def test_code_is_a_repository_and_a_commit() -> None:
    refused(Run(code=Code(repository="r")), Reason.REASON_REQUIRED, "run.code")


@pytest.mark.parametrize("digest", ["", "9f86", "sha256:xyz", DIGEST.upper()])
def test_a_dataset_is_told_by_its_digest(digest: str) -> None:
    given = Run(input_datasets=[Dataset(digest=digest)])
    refused(given, Reason.REASON_MALFORMED, "run.input_datasets")


def test_a_dataset_goes_in_once() -> None:
    given = Run(input_datasets=[Dataset(digest=DIGEST), Dataset(digest=DIGEST)])
    refused(given, Reason.REASON_MALFORMED, "run.input_datasets")


@pytest.mark.parametrize(
    "version", ["", "churn/3", CHURN[:-1] + "0", CHURN.replace("default", "x")]
)
def test_versions_are_named_in_the_namespace_of_the_run(version: str) -> None:
    refused(Run(input_versions=[version]), Reason.REASON_MALFORMED, "run.input_versions")
    refused(Run(output_versions=[version]), Reason.REASON_MALFORMED, "run.output_versions")


def test_a_version_does_not_make_itself() -> None:
    given = Run(input_versions=[CHURN], output_versions=[CHURN])
    refused(given, Reason.REASON_MALFORMED, "run.output_versions")


def test_a_run_does_not_end_before_it_starts() -> None:
    given = Run(start_time=Timestamp(seconds=20), end_time=Timestamp(seconds=10))
    refused(given, Reason.REASON_MALFORMED, "run.end_time")


@pytest.mark.parametrize("seconds", [10**12, -(10**12)])
def test_times_lie_between_the_years_1_and_9999(seconds: int) -> None:
    refused(Run(start_time=Timestamp(seconds=seconds)), Reason.REASON_MALFORMED, "run.start_time")
