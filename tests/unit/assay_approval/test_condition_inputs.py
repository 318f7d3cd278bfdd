"""What conditions are evaluated on: read from messages, written down in one way, read back."""

import pytest

from assay.metadata.v1.resources_pb2 import Model, ModelCard, ModelVersion
from assay.type.v1.metric_pb2 import Metric
from assay_approval.cel.facts import Lineage, Scan, ScanVerdict
from assay_approval.cel.profile import VARIABLES
from assay_approval.cel.spelling import BadInputs, Value
from assay_approval.conditions import Inputs, compile_condition
from assay_trust import canonical, digests
from tests.unit.assay_approval import conditions_sample as sample

KIB = 1024


def of(version: ModelVersion, needed: tuple[str, ...] = (), model: Model | None = None) -> Inputs:
    return Inputs.of(version, model or Model(), Scan(), Lineage(), {}, needed)


SCANNED = {"scan.verdict", "scan.critical"}


def test_every_variable_has_a_value_even_of_an_empty_version_but_what_a_scan_tells() -> None:
    assert of(ModelVersion()).values.keys() == VARIABLES.keys() - SCANNED
    clean = Inputs.of(ModelVersion(), Model(), Scan(ScanVerdict.CLEAN), Lineage(), {})
    assert clean.values.keys() == VARIABLES.keys()


@pytest.mark.requirement("W6")
@pytest.mark.parametrize(
    "expression", ["scan.critical == 0", 'scan.verdict != "malicious"', 'scan.verdict == "unknown"']
)
def test_nothing_that_a_scan_would_tell_holds_of_files_that_nobody_scanned(
    expression: str,
) -> None:
    verdict = compile_condition("scan", expression).evaluate(of(ModelVersion()))
    assert not verdict.satisfied
    assert verdict.detail.endswith("is not known: nobody has scanned the files.")


def test_what_is_written_is_read_back() -> None:
    inputs = sample.inputs()
    again = Inputs.from_bytes(inputs.to_bytes())
    assert again == inputs
    assert again.to_bytes() == inputs.to_bytes()
    assert again.digest == inputs.digest == digests.sha256(inputs.to_bytes())


def test_the_spelling_stays_what_it_is() -> None:
    """Events hold these bytes for ever: a change here needs another form beside this one."""
    assert of(ModelVersion(metrics=[Metric(key="auc", value=0.5)])).to_bytes().decode() == (
        '{"attached":[],"card":{"completeness":"0.0","data":"","ethics":"","licence":"",'
        '"limits":"","metrics":"","purpose":""},"lineage":{"datasets":[],"inputs":[],"run":"",'
        '"trainers":[]},"model":{"intended_use":"","owners":[],"tags":[],"tier":""},'
        '"v":"assay/inputs/v1",'
        '"version":{"external":false,"file_count":"0","format":{"name":"","version":""},'
        '"has_signature":false,"metrics":[{"key":"auc","value":"0.5"}],"metrics_by_dataset":[],'
        '"name":"","number":"0","params":[],"semantic_version":"","size_bytes":"0","tags":[]}}'
    )


def test_the_order_in_which_a_map_was_filled_does_not_matter() -> None:
    one = of(ModelVersion(tags={"a": "1", "b": "2"}))
    other = of(ModelVersion(tags={"b": "2", "a": "1"}))
    assert one.to_bytes() == other.to_bytes()


def test_metrics_are_told_apart_by_their_dataset() -> None:
    values = sample.inputs().values
    assert values["version.metrics"] == {"auc": 0.91, "latency": 12.5}
    assert values["version.metrics_by_dataset"] == {"sha256:2c26": {"auc": 0.88}}


def test_completeness_is_the_share_of_the_six_parts_that_are_filled() -> None:
    card = ModelCard(schema="assay/card/v1", purpose="p", limits="l", data="d")
    assert of(ModelVersion(card=card)).values["card.completeness"] == 0.5


def test_an_external_version_is_told_by_its_address() -> None:
    assert of(ModelVersion(external_uri="oci://example/churn")).values["version.external"] is True
    assert of(ModelVersion()).values["version.external"] is False


def test_the_longest_text_that_nobody_needs_is_left_out() -> None:
    card = ModelCard(purpose="p" * 4 * KIB, limits="l" * 5 * KIB, data="d" * 10 * KIB)
    inputs = of(ModelVersion(card=card))
    assert VARIABLES.keys() - inputs.values.keys() - SCANNED == {"card.data"}
    assert len(inputs.to_bytes()) <= 16 * KIB
    inputs = of(ModelVersion(card=card), needed=("card.data",))
    assert VARIABLES.keys() - inputs.values.keys() - SCANNED == {"card.limits"}
    assert Inputs.from_bytes(inputs.to_bytes()) == inputs


def test_inputs_that_need_too_much_are_refused() -> None:
    card = ModelCard(purpose="p" * 9 * KIB, limits="l" * 10 * KIB)
    with pytest.raises(BadInputs, match=r"^Shorten card\.limits: .* 16384 bytes in all\.$"):
        of(ModelVersion(card=card), needed=("card.purpose", "card.limits"))


def test_evidence_may_fill_up_to_64_kib() -> None:
    whole = sample.inputs().with_attached({"report": {"text": "x" * 60 * KIB}})
    assert Inputs.from_bytes(whole.to_bytes()) == whole
    with pytest.raises(BadInputs, match=r"keep the JSON within 65536 bytes\.$"):
        sample.inputs().with_attached({"report": {"text": "x" * 64 * KIB}})


def test_keys_that_differ_in_unicode_form_only_are_refused() -> None:
    with pytest.raises(BadInputs, match=r"^Rename one of the keys of version\.tags"):
        of(ModelVersion(tags={"caf\u00e9": "1", "cafe\u0301": "2"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version.number", True),
        ("version.number", 2**63),
        ("version.number", 1.0),
        ("version.name", 1),
        ("version.name", "e\u0301"),
        ("version.name", "\ud800"),
        ("version.external", "true"),
        ("version.metrics", {"auc": float("nan")}),
        ("version.metrics", {"auc": float("inf")}),
        ("version.metrics", {"auc": 1}),
        ("version.tags", ["a"]),
        ("model.owners", "ann"),
        ("model.owners", [["ann"]]),
        ("lineage.datasets", [{"Name": "a"}]),
        ("version.secret", "x"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Value) -> None:
    with pytest.raises(BadInputs, match=r"\.$"):
        Inputs({name: value})


def _bytes(**parts: canonical.Value) -> bytes:
    return canonical.encode({"v": "assay/inputs/v1", **parts})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"v":"assay/inputs/v2"}',
        b'{ "v":"assay/inputs/v1"}',
        b"\xff",
        _bytes(secret="x"),
        _bytes(version={"secret": "x"}),
        _bytes(version="x"),
        _bytes(version={"number": "01"}),
        _bytes(version={"number": "-0"}),
        _bytes(version={"number": "9223372036854775808"}),
        _bytes(version={"number": ""}),
        _bytes(version={"external": "true"}),
        _bytes(version={"metrics": [{"key": "auc", "value": "nan"}]}),
        _bytes(version={"metrics": [{"key": "auc", "value": "0.50"}]}),
        _bytes(version={"metrics": [{"key": "auc", "value": "1e999"}]}),
        _bytes(version={"metrics": [{"key": "auc"}]}),
        _bytes(version={"metrics": [{"key": ["auc"], "value": "0.5"}]}),
        _bytes(version={"tags": [{"key": "b", "value": ""}, {"key": "a", "value": ""}]}),
        _bytes(version={"tags": [{"key": "a", "value": ""}, {"key": "a", "value": ""}]}),
        _bytes(version={"tags": "x"}),
        _bytes(lineage={"datasets": ["x"]}),
        _bytes(model={"owners": "x"}),
    ],
)
def test_bytes_that_are_no_inputs_are_refused(data: bytes) -> None:
    with pytest.raises(BadInputs, match=r"\.$"):
        Inputs.from_bytes(data)


def test_inputs_that_know_less_are_inputs_too() -> None:
    data = _bytes(version={"number": "3"})
    assert Inputs.from_bytes(data).values == {"version.number": 3}
    assert Inputs.from_bytes(data).to_bytes() == data
