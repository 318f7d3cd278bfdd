"""Files that say something of a version, a card or a stage graph; each mistake is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.cli.descriptions import card_of, version_of
from assay.cli.moments import moment_of
from assay.cli.stage_graphs import graph_of, in_words
from assay.errors import Invalid

Read = Callable[[Path], object]


def about(path: Path) -> object:
    return version_of(path, "risk")


def test_a_file_says_all_that_there_is_to_say_of_a_version(tmp_path: Path) -> None:
    path = tmp_path / "about.json"
    path.write_text(
        '{"semantic_version": "2.1.0", "parent_versions": ["base/1"],'
        '"format": {"name": "onnx", "version": 1.17, "flavors": {"onnx": {"data": "m.onnx"}}},'
        '"signature": {"inputs": [{"name": "age", "type": "float32", "shape": [-1, 28]}]},'
        '"metrics": [{"key": "auc", "value": 1, "unit": "", "dataset": "holdout"}],'
        '"card": {"purpose": "x"}}'
    )
    version = version_of(path, "risk")
    assert version.semantic_version == "2.1.0"
    assert list(version.parent_versions) == ["namespaces/risk/models/base/versions/1"]
    assert (version.format.version, dict(version.format.flavors)) == (
        "1.17",
        {"onnx": '{"data": "m.onnx"}'},
    )
    assert list(version.signature.inputs[0].shape) == [-1, 28]
    assert (version.metrics[0].value, version.metrics[0].dataset) == (1.0, "holdout")
    assert (version.card.schema, version.card.purpose) == ("assay/card/v1", "x")


def test_a_stage_graph_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(
        "rules: [{stage: live, from_stages: [trial, shadow], max_holders: 2}, {stage: trial}]"
    )
    words = "live from trial or shadow, up to 2 at once; trial from anywhere"
    assert in_words(graph_of(path)) == words


@pytest.mark.parametrize(
    ("read", "text", "wrong"),
    [
        (card_of, "purpose: [a]", "purpose must be a text"),
        (card_of, "colour: red", "colour is not a field"),
        (card_of, "", "the file is empty"),
        (card_of, "purpose: a\n---\npurpose: b", "keep one document in the file"),
        (about, "parent_versions: [base]", "Name a version as NAME/N"),
        (about, "format: {version: 1}", "name must be a text"),
        (about, "format: {name: onnx, flavors: [a]}", "flavors must be a mapping"),
        (about, "format: {name: onnx, version: [1]}", "version must be a text or a number"),
        (about, "signature: {inputs: [{shape: [x]}]}", "shape must be a list of whole numbers"),
        (about, f"signature: {{inputs: [{{shape: [{2**80}]}}]}}", "must be a list of whole"),
        (about, "signature: {inputs: [{is_optional: 1}]}", "is_optional must be true or false"),
        (about, "metrics: [{key: auc, value: .nan}]", "auc must be a finite number"),
        (about, "metrics: [{key: auc, value: high}]", "value must be a number"),
        (about, "metrics: {auc: 1}", "metrics must be a list"),
        (about, "card: {price: 1}", "price is not a field"),
        (graph_of, "rules: []", "rules must name at least one stage"),
        (graph_of, "rules: [{from_stages: [a]}]", "stage must be a text"),
        (graph_of, "rules: [{stage: a, max_holders: many}]", "max_holders must be a whole number"),
        (graph_of, "rules: [{stage: a, limit: 2}]", "limit is not a field"),
        (graph_of, "stages: {}", "stages is not a field"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, read: Read, text: str, wrong: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(Invalid) as refused:
        read(path)
    assert wrong in refused.value.message


def test_a_moment_is_a_time_or_a_revision() -> None:
    assert moment_of("1042").revision == 1042
    assert moment_of("9" * 4000).revision == 2**63 - 1
    assert moment_of("2026-03-01T12:00:00Z").time.seconds == 1772366400
    with pytest.raises(Invalid, match="Write the time as"):
        moment_of("yesterday")
