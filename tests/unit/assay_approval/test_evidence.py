"""What is kept of a version when its approval is asked for."""

import json
import math

import pytest

from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.type.v1.metric_pb2 import Metric
from assay_approval.domain.approval import MAX_EVIDENCE_BYTES
from assay_approval.ports import evidence
from assay_trust import canonical
from tests.unit.assay_approval.people import DIGEST, VERSION


def kept(*metrics: Metric) -> bytes:
    """Return what is kept of a version with these metrics."""
    version = ModelVersion(
        name=str(VERSION), manifest_digest=DIGEST, run="namespaces/default/runs/1", metrics=metrics
    )
    return evidence(version, MAX_EVIDENCE_BYTES)


def test_evidence_is_canonical_json_with_numbers_as_text() -> None:
    found = kept(Metric(key="accuracy", value=0.1 + 0.2, unit="%"))
    assert canonical.encode(canonical.decode(found)) == found
    told = json.loads(found)
    assert told["manifest_digest"] == DIGEST
    assert told["metrics"] == [
        {"key": "accuracy", "value": "0.30000000000000004", "unit": "%", "dataset": ""}
    ]


def test_text_that_is_not_nfc_is_made_so() -> None:
    told = json.loads(kept(Metric(key="pre\u0301cision", value=1.0)))
    assert told["metrics"][0]["key"] == "pr\u00e9cision"


@pytest.mark.parametrize("count", [201, 1000])
def test_many_metrics_are_kept_by_digest(count: int) -> None:
    metrics = [Metric(key="k" * 300, value=float(number)) for number in range(count)]
    found = kept(*metrics)
    assert len(found) <= MAX_EVIDENCE_BYTES
    assert json.loads(found)["metrics_digest"].startswith("sha256:")
    assert kept(*metrics[1:]) != found


def test_long_metrics_are_kept_by_digest() -> None:
    found = kept(*[Metric(key="k" * 1000, value=math.pi)] * 17)
    assert "metrics_digest" in json.loads(found)
    assert "metrics" not in json.loads(found)


def test_files_that_lie_elsewhere_are_seen_by_who_approves() -> None:
    version = ModelVersion(name=str(VERSION), external_uri="oci://registry.example/churn")
    told = json.loads(evidence(version, MAX_EVIDENCE_BYTES))
    assert told["external_uri"] == "oci://registry.example/churn"
    assert "external_uri" not in json.loads(kept())
