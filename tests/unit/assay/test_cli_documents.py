"""Files that users write: each mistake is named with its place."""

import json
from pathlib import Path

import pytest

from assay.cli.moments import moment_of
from assay.cli.pairs import numbers, texts
from assay.cli.policy_files import requests_of
from assay.cli.runs import read_run
from assay.errors import Invalid

POLICY = """
name: production
models: ["*"]
stages: [production]
quorum: 2
description: Two people.
"""


def policy(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return file


def test_a_policy_is_read_from_yaml(tmp_path: Path) -> None:
    (request,) = requests_of(policy(tmp_path, POLICY), "risk", "audit finding 7")
    assert request.parent == "namespaces/risk"
    assert request.policy_id == "production"
    assert request.reason == "audit finding 7"
    spec = request.policy.spec
    assert (list(spec.models), list(spec.stages), spec.quorum) == (["*"], ["production"], 2)


def test_several_policies_may_stand_in_one_file(tmp_path: Path) -> None:
    second = "name: champion\nmodels: churn\naliases: champion\nquorum: 1\n"
    file = policy(tmp_path, f"{POLICY}---\n{second}---\n")
    names = [request.policy_id for request in requests_of(file, "default", "")]
    assert names == ["production", "champion"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("quorum: 2", "quorum: 0"), "quorum must be 1 to 64 people."),
        (("quorum: 2", "quorum: two"), "quorum must be a whole number."),
        (("quorum: 2", "quorum: yes"), "quorum must be a whole number."),
        (("quorum: 2", "qorum: 2"), "qorum is not a field; there are name"),
        (("name: production", "name: Production"), "name must be 1 to 63"),
        (("name: production", "name: 7"), "name must be a text."),
        (("name: production", ""), "name must be a text."),
        (('models: ["*"]', "models: []"), "models must name at least one."),
        (('models: ["*"]', "models: [1]"), "models must be a list of texts."),
        (("stages: [production]", ""), "stages or aliases must name at least one."),
        (("description: Two people.", "description: [x]"), "description must be a text."),
        (("quorum: 2", "quorum: [2"), "this is not YAML"),
        (("\nname", "\n- name"), "this is not YAML"),
    ],
)
def test_a_mistake_in_a_policy_is_named(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    file = policy(tmp_path, POLICY.replace(*change))
    with pytest.raises(Invalid) as refusal:
        requests_of(file, "default", "")
    assert message in refusal.value.message
    assert refusal.value.message.startswith(str(file))


def test_the_wrong_document_of_several_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="document 2: write fields"):
        requests_of(policy(tmp_path, f"{POLICY}---\n7\n"), "default", "")


def test_an_empty_policy_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is empty"):
        requests_of(policy(tmp_path, "---\n"), "default", "")


def test_a_run_is_read_with_its_data_digested(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n")
    file = tmp_path / "run.json"
    file.write_text(
        json.dumps(
            {
                "name": "nightly",
                "params": {"depth": 6, "shuffle": True, "loss": "log"},
                "metrics": {"accuracy": 0.9, "count": 3},
                "code": {"repository": "https://git.example.org/churn", "commit": "3f78"},
                "datasets": [
                    {"path": "data.csv", "uri": "s3://data/data.csv"},
                    {"name": "other", "digest": "0" * 64},
                ],
                "input_versions": ["base/1"],
                "start_time": "2026-03-01T12:00:00Z",
            }
        )
    )
    run = read_run(file, "risk")
    assert run.display_name == "nightly"
    assert dict(run.params) == {"depth": "6", "shuffle": "true", "loss": "log"}
    assert {metric.key: metric.value for metric in run.metrics} == {"accuracy": 0.9, "count": 3.0}
    assert run.code.commit == "3f78"
    csv, other = run.input_datasets
    assert csv.display_name == "data.csv"
    assert csv.digest.startswith("sha256:")
    assert other.digest == "sha256:" + "0" * 64
    assert list(run.input_versions) == ["namespaces/risk/models/base/versions/1"]
    assert run.start_time.seconds == 1772366400
    assert not run.HasField("end_time")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metrics: {a: .nan}", "finite"),
        ("metrics: {a: high}", "metrics.a must be a number"),
        ("params: {a: [1]}", "params.a must be a text or a number"),
        ("params: [a]", "params must be a mapping"),
        ("datasets: {a: 1}", "datasets must be a list"),
        ("datasets: [{name: x}]", "digest or path must be given"),
        ("datasets: [{path: nowhere}]", "path must name a file"),
        ("datasets: [{digest: abc}]", "digest must be sha256:"),
        ("input_versions: [base]", "Name a version as NAME/N"),
        ("start_time: soon", "start_time must be a time"),
        ("colour: red", "colour is not a field"),
        ("a: 1\n---\nb: 2", "keep one document"),
        ("!!python/object:os.system x", "not YAML"),
    ],
)
def test_a_mistake_in_a_run_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(Invalid) as refusal:
        read_run(file, "default")
    assert message in refusal.value.message


def test_pairs_split_at_the_first_equals_sign() -> None:
    assert texts("tag", ["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    assert numbers("metric", ["a=1e-3"]) == {"a": 0.001}


@pytest.mark.parametrize("given", [["a"], ["=b"], ["a=1", "a=2"]])
def test_what_is_no_pair_is_refused(given: list[str]) -> None:
    with pytest.raises(Invalid):
        texts("tag", given)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="as a number"):
        numbers("metric", ["a=high"])


def test_moments_are_times_in_utc_or_revisions() -> None:
    assert moment_of("1042").revision == 1042
    wanted = moment_of("2026-03-01T12:00:00Z")
    assert wanted.time.seconds == 1772366400
    assert moment_of("2026-03-01T12:00:00") == wanted
    assert moment_of("2026-03-01T13:00:00+01:00") == wanted
    with pytest.raises(Invalid, match="Write the time"):
        moment_of("yesterday")
