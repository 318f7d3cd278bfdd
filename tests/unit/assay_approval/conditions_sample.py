"""A version as conditions see it, and what they must say of it: shared by tests and benchmarks."""

from assay.metadata.v1.resources_pb2 import Format, Model, ModelCard, ModelVersion, Signature
from assay.type.v1.metric_pb2 import Metric
from assay_approval.cel.facts import Dataset, Lineage, Scan, ScanVerdict
from assay_approval.conditions import Inputs

VERSION = ModelVersion(
    name="namespaces/default/models/churn/versions/3",
    number=3,
    semantic_version="2.1.0",
    tags={"team": "risk", "größe": "groß"},
    params={"depth": "6"},
    metrics=[
        Metric(key="auc", value=0.91),
        Metric(key="latency", value=12.5, unit="ms"),
        Metric(key="auc", value=0.88, dataset="sha256:2c26"),
    ],
    size_bytes=1_048_576,
    file_count=4,
    format=Format(name="onnx", version="1.17"),
    card=ModelCard(purpose="Finds customers who leave.", data="customers-2026", licence="MIT"),
    signature=Signature(),
)
MODEL = Model(
    tags={"area": "retail"},
    tier="high",
    owners=["teams/risk", "teams/retail"],
    intended_use="Ranking of customers, never prices.",
)
SCAN = Scan(ScanVerdict.CLEAN, critical=0)
LINEAGE = Lineage(
    run="namespaces/default/runs/5f2a",
    trainers=["principals/7d0f"],
    datasets=[
        Dataset("customers", "sha256:2c26", "test"),
        Dataset("customers", "sha256:9f86", "train"),
    ],
    inputs=["namespaces/default/models/base/versions/1"],
)
ATTACHED = {"bias-report": {"critical": "0", "gap": "0.03"}, "review": {"naïve": "né"}}


def inputs() -> Inputs:
    """Return the inputs of the sample."""
    return Inputs.of(VERSION, MODEL, SCAN, LINEAGE, ATTACHED)


SATISFIED = (
    "true",
    'version.metrics["auc"] >= 0.9',
    "version.metrics.auc >= 0.9 && version.metrics.latency < 20.0",
    '"auc" in version.metrics && !("f1" in version.metrics)',
    "has(version.metrics.auc) && !has(version.metrics.f1)",
    'version.metrics_by_dataset["sha256:2c26"]["auc"] > 0.85',
    "version.metrics.all(name, version.metrics[name] >= 0.0)",
    "version.number == 3 && version.number % 2 == 1",
    'version.name.startsWith("namespaces/default/") && version.name.endsWith("/3")',
    'version.semantic_version != ""',
    'version.params["depth"] == "6" && int(version.params["depth"]) * 2 == 12',
    "version.size_bytes / 1024 / 1024 <= 1",
    "version.file_count == 4",
    'version.format.name == "onnx" && double(version.format.version) >= 1.1',
    "!version.external && version.has_signature",
    'version.tags["größe"] == "groß" && size(version.tags["größe"]) == 4',
    'model.tier in ["high", "medium"]',
    'model.owners.exists(owner, owner == "teams/risk")',
    'model.owners.exists_one(owner, owner.startsWith("teams/re"))',
    'model.owners.filter(owner, owner != "teams/risk").size() == 1',
    "model.owners.map(owner, size(owner))[0] == 10",
    'model.intended_use.contains("never prices")',
    'card.completeness >= 0.5 && card.limits == ""',
    'scan.verdict == "clean" && scan.critical == 0',
    'lineage.run != "" && size(lineage.inputs) == 1',
    'lineage.datasets.all(data, data.digest.startsWith("sha256:"))',
    'lineage.datasets.filter(data, data.split == "test").size() == 1',
    'lineage.datasets[0].split == "test" && lineage.datasets[0]["name"] == "customers"',
    '"principals/7d0f" in lineage.trainers',
    'attached["bias-report"].critical == "0"',
    'has(attached.review) && double(attached["bias-report"]["gap"]) <= 0.05',
    'attached.review["naïve"] == "n\\u00e9"',
    'scan.critical == 0 ? true : model.tier == "low"',
    "true || 1 / 0 == 1",
    "1 / 0 == 1 || true",
    "-7 / 2 == -3 && -7 % 2 == -1 && 7.0 / 2.0 == 3.5",
    "9223372036854775807 > -9223372036854775808",
    '"a" < "b" && "Z" < "a" && "é" > "z"',
    'size("😀") == 1 && "😀" == "\\U0001F600"',
    "'single' == \"single\" // a remark",
    "{'a': 1}['a'] == 1 && size([]) == 0",
    'string(3) == "3" && int("-3") == -3 && double(3) == 3.0',
    "1.0 / 0.0 > 1e308",
)
UNSATISFIED = (
    "false",
    'version.metrics["auc"] >= 0.95',
    'version.metrics["f1"] >= 0.1',
    'version.metrics["f1"] < 0.1',
    'version.metrics_by_dataset["sha256:0000"]["auc"] > 0.85',
    'scan.verdict == "malicious"',
    'attached["pentest"]["critical"] == "0"',
    'has(attached.pentest) && attached.pentest.critical == "0"',
    "int(version.semantic_version) > 1",
    'double(attached["review"]["naïve"]) > 0.0',
    "1 / 0 == 1",
    "1 % 0 == 1",
    "9223372036854775807 + 1 > 0",
    'lineage.datasets[2].split == "test"',
    'double("nan") <= 1.0 || double("nan") > 1.0',
    'model.owners.all(owner, owner == "teams/risk")',
    "lineage.inputs.all(name, version.metrics[name] > 0.0)",
    "0.1 + 0.2 == 0.3",
)
