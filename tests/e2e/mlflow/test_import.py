"""Import of a real registry, out of a real `mlflow server`, into a real stack."""

import json
from pathlib import Path

import pytest

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.mlflow.options import Options
from tests.e2e.conftest import Assay
from tests.e2e.mlflow.registry import CHURN, MANY, ODD, another, bring, model, version
from tests.support.mlflow_server import Server

DOCS = Path(__file__).parents[3] / "docs" / "import-mlflow.md"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it may install MLflow first


def test_a_whole_registry_comes_over_and_says_the_same(
    assay: Assay, client: Client, peer: Server, tenant: str, tmp_path: Path
) -> None:
    done = assay.run("import", "mlflow", peer.url, "--namespace", tenant, "--json")
    report = json.loads(done.stdout)
    assert report["is_clean"] is True
    assert report["written_versions"] == 5 + 1 + 30
    assert {kind: counts["source"] for kind, counts in report["facts"].items()} == {
        kind: counts["same"] for kind, counts in report["facts"].items()
    }
    assert report["facts"]["version"]["same"] == 4 + 1 + 30
    assert len(report["notes"]) == 1
    assert "2 versions are in production; the latest, 5, holds it" in report["notes"][0]

    first, second, third, fourth, fifth = (version(client, tenant, CHURN, n) for n in range(1, 6))
    assert first.state == State.STATE_ARCHIVED
    assert first.description == "The first."
    assert dict(first.tags) == {"by": "hand"}
    claims = first.imported.claims
    assert "".join(claims[f"tags.data[{n}]"] for n in (1, 2, 3)) == "d" * 3000
    assert claims["metrics.loss"] == "nan"
    assert [(metric.key, metric.value) for metric in first.metrics] == [("auc", 0.93)]
    assert dict(first.params) == {"depth": "6"}
    assert second.format.name == "python_function"
    assert [tensor.type for tensor in second.signature.inputs] == ["double"]
    assert list(second.aliases) == ["champion"]
    assert (third.state, third.is_draft, third.imported.claims["absent"]) == (
        State.STATE_ARCHIVED,
        True,
        "The source has no version of this number.",
    )
    assert (fourth.external_uri, list(fourth.stages)) == ("s3://bucket/churn/4", ["staging"])
    assert (list(fifth.stages), list(fifth.aliases)) == (["production"], ["challenger"])
    told = peer.get(f"model-versions/get?name={CHURN}&version=1")["model_version"]
    assert first.imported.create_time.ToMilliseconds() == int(told["creation_timestamp"])
    assert claims["run_id"] == told["run_id"]
    assert first.imported.source == f"mlflow:{peer.url}"
    assert model(client, tenant, ODD).description == "Zwei\u2028Zeilen"

    for number in (1, 2, 5):
        folder = tmp_path / str(number)
        assay.run("pull", f"{CHURN}/{number}", str(folder), "--namespace", tenant)
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        assert {path: file.read_bytes() for path, file in files.items()} == peer.files(
            CHURN, number
        )


def test_files_named_by_a_run_or_by_another_version_come_over(
    client: Client, peer: Server, tenant: str
) -> None:
    name, run_id = f"named-{tenant}", another(peer, "")["run_id"]
    peer.post("registered-models/create", {"name": name})
    for source in (f"runs:/{run_id}/model", f"models:/{MANY}/1"):
        new = {"name": name, "source": source, "run_id": run_id}
        peer.post("model-versions/create", new)
    assert bring(client, peer.url, tenant, name, options=Options(check_bytes=True)).is_clean
    first, second = (version(client, tenant, name, number) for number in (1, 2))
    assert first.manifest_digest == second.manifest_digest != ""
    assert first.size_bytes == 256


def test_only_what_is_new_in_the_source_comes_over_later(
    client: Client, peer: Server, tenant: str
) -> None:
    name = f"grows-{tenant}"
    new = another(peer, name)
    peer.post("registered-models/create", {"name": name})
    assert bring(client, peer.url, tenant, name).is_clean
    peer.post("model-versions/create", new)
    assert bring(client, peer.url, tenant, name).written == 1

    for _ in range(3):
        peer.post("model-versions/create", new)
    peer.post("model-versions/delete", {"name": name, "version": "3"}, "DELETE")
    peer.post("registered-models/alias", {"name": name, "alias": "best", "version": "4"})
    report = bring(client, peer.url, tenant, name)
    assert (report.written, report.known, report.is_clean) == (3, 1, True)
    assert list(version(client, tenant, name, 4).aliases) == ["best"]
    assert version(client, tenant, name, 3).is_draft
    again = bring(client, peer.url, tenant, name)
    assert (again.written, again.known, again.is_clean) == (0, 4, True)


def test_what_changed_in_the_source_afterwards_is_told_with_what_to_do(
    client: Client, peer: Server, tenant: str
) -> None:
    name = f"changes-{tenant}"
    peer.post("registered-models/create", {"name": name})
    for _ in range(2):
        peer.post("model-versions/create", another(peer, name))
    alias = {"name": name, "alias": "best"}
    peer.post("registered-models/alias", {**alias, "version": "1"})
    assert bring(client, peer.url, tenant, name).is_clean

    peer.post("registered-models/alias", {**alias, "version": "2"})
    tag = {"name": name, "version": "1", "key": "team", "value": "risk"}
    peer.post("model-versions/set-tag", tag)
    report = bring(client, peer.url, tenant, name)
    update = f"Next: assay version update {name}/1 --tag team=risk"
    assert report.differences == [
        f"{name}/1: tag team: source 'risk', Assay nothing. {update}",
        f"{name}: alias best: source '2', Assay '1'. Next: assay alias set {name} best 2",
    ]
    assert not report.is_clean

    peer.post("model-versions/delete", {"name": name, "version": "2"}, "DELETE")
    gone = bring(client, peer.url, tenant, name).differences
    assert f"{name}/2: the source no longer has it. Next: assay version archive {name}/2" in gone


def test_a_model_that_the_source_no_longer_has_is_told(
    client: Client, peer: Server, tenant: str
) -> None:
    name = f"goes-{tenant}"
    peer.post("registered-models/create", {"name": name})
    reference = Options(with_files=False)
    assert bring(client, peer.url, tenant, options=reference).is_clean
    peer.post("registered-models/delete", {"name": name}, "DELETE")
    report = bring(client, peer.url, tenant, options=reference)
    line = f"{name}: the source no longer has it. Next: assay model archive {name}"
    assert report.differences == [line]
    whole = f"namespaces/{tenant}/models/{name}"
    client.metadata.ArchiveModel(api.ArchiveModelRequest(name=whole))
    assert bring(client, peer.url, tenant, options=reference).is_clean


def test_versions_registered_in_assay_since_are_no_difference(
    client: Client, peer: Server, tenant: str
) -> None:
    name = f"goes-on-{tenant}"
    peer.post("registered-models/create", {"name": name})
    for _ in range(3):
        peer.post("model-versions/create", another(peer, name))
    assert bring(client, peer.url, tenant, name).is_clean
    own = ModelVersion(external_uri="oci://own")
    parent = f"namespaces/{tenant}/models/{name}"
    request = api.RegisterModelVersionRequest(parent=parent, model_version=own)
    client.metadata.RegisterModelVersion(request)
    assert bring(client, peer.url, tenant, name).is_clean
    peer.post("model-versions/delete", {"name": name, "version": "2"}, "DELETE")
    (line,) = bring(client, peer.url, tenant, name).differences
    assert line == f"{name}/2: the source no longer has it. Next: assay version archive {name}/2"
    gone = api.ArchiveModelVersionRequest(name=f"{parent}/versions/2")
    client.metadata.ArchiveModelVersion(gone)
    assert bring(client, peer.url, tenant, name).is_clean


def test_a_file_that_changed_in_the_source_is_found(
    client: Client, peer: Server, tenant: str
) -> None:
    assert bring(client, peer.url, tenant, CHURN).is_clean
    file = peer.root(CHURN, 5) / "tiefer" / "例" / "weights ü.bin"
    bytes_before = file.read_bytes()
    try:
        file.write_bytes(bytes_before[:-1] + b"?")
        assert bring(client, peer.url, tenant, CHURN).is_clean  # the listing shows no digests
        (line,) = bring(
            client, peer.url, tenant, CHURN, options=Options(check_bytes=True)
        ).differences
        assert line.startswith(f"{CHURN}/5: file tiefer/例/weights ü.bin: source '512 sha256:")
        file.write_bytes(bytes_before + b"!")
        (line,) = bring(client, peer.url, tenant, CHURN).differences
        assert "weights ü.bin: source '513', Assay '512'." in line
    finally:
        file.write_bytes(bytes_before)


def test_a_dry_run_counts_and_writes_nothing(client: Client, peer: Server, tenant: str) -> None:
    report = bring(client, peer.url, tenant, CHURN, options=Options(is_dry_run=True))
    assert (report.source["version"], report.source["gap"], report.source["elsewhere"]) == (4, 1, 1)
    assert report.bytes > 10_000
    listed = client.metadata.ListModels(api.ListModelsRequest(parent=f"namespaces/{tenant}"))
    assert not listed.models


def test_without_files_versions_refer_to_where_they_lie(
    client: Client, peer: Server, tenant: str
) -> None:
    assert bring(client, peer.url, tenant, CHURN, options=Options(with_files=False)).is_clean
    told = peer.get(f"model-versions/get?name={CHURN}&version=2")["model_version"]
    second = version(client, tenant, CHURN, 2)
    assert (second.external_uri, second.manifest_digest) == (told["source"], "")
    assert list(second.aliases) == ["champion"]


COMMANDS = [line for line in DOCS.read_text().splitlines() if line.startswith("assay import")]


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_the_commands_of_the_docs_run(
    assay: Assay, peer: Server, tenant: str, command: str
) -> None:
    assert len(COMMANDS) == 6
    line = command.partition("#")[0].replace("http://127.0.0.1:5000", peer.url)
    words = line.replace("--namespace risk", "").split()[1:]
    done = assay.run(*words, "--namespace", tenant, "--model", CHURN)
    ending = "would be." if "--dry-run" in words else "Assay says what the source says."
    assert done.stdout.strip().endswith(ending)
