"""Import of a real registry, out of a real `mlflow server`, into a real stack."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion, State
from assay.mlflow import importing
from assay.mlflow.faults import SourceFailed
from assay.mlflow.importing import Importer
from assay.mlflow.options import Options
from assay.mlflow.report import Report
from assay.mlflow.source import Login, Source
from tests.e2e.conftest import Assay
from tests.support import mlflow_server
from tests.support.http_between import Ask, Reply, answering, pass_on
from tests.support.mlflow_server import Server

DOCS = Path(__file__).parents[2] / "docs" / "import-mlflow.md"
CHURN, ODD, MANY = "churn", "Kündigung 例 'x' \"y\"", "many"
NOBODY, WHOLE = Login(), Options()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it may install MLflow first


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server with a registry."""
    with mlflow_server.serving(mlflow_server.install(), tmp_path_factory.mktemp("mlflow")) as it:
        yield it


@pytest.fixture(scope="module")
def client(stack: Path) -> Iterator[Client]:
    """Give a client of the stack."""
    with Client.connect(stack) as it:
        yield it


@pytest.fixture
def tenant(client: Client) -> str:
    """Give a namespace of the test's own."""
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    client.metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id=tenant))
    return tenant


def bring(client: Client, url: str, tenant: str, *models: str, options: Options = WHOLE) -> Report:
    """Import models, all of them where none is named."""
    chosen = replace(options, namespace=tenant, models=models)
    return Importer(client, Source(url, NOBODY, first_delay_seconds=0.01), chosen).run()


def another(peer: Server, name: str) -> dict[str, str]:
    """Return what registers the files of a version that is there as another model's."""
    told = peer.get(f"model-versions/get?name={MANY}&version=1")["model_version"]
    return {"name": name, "source": told["source"], "run_id": told["run_id"]}


def version(client: Client, tenant: str, model: str, number: int) -> ModelVersion:
    name = f"namespaces/{tenant}/models/{model}/versions/{number}"
    return client.metadata.GetModelVersion(api.GetModelVersionRequest(name=name)).model_version


def model(client: Client, tenant: str, name: str) -> Model:
    name = f"namespaces/{tenant}/models/{name}"
    return client.metadata.GetModel(api.GetModelRequest(name=name)).model


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


def test_an_import_that_was_killed_goes_on_where_it_stopped(
    client: Client, peer: Server, stack: Path, tenant: str
) -> None:
    held, go_on = threading.Event(), threading.Event()

    def hold(ask: Ask) -> Reply:
        if ask.query.get("version") == "27" and not go_on.is_set():
            held.set()
            go_on.wait(60)
        return pass_on(peer.url, ask)

    with answering(hold) as url:
        words = ["import", "mlflow", url, "--model", MANY, "--namespace", tenant]
        process = subprocess.Popen(
            [sys.executable, "-m", "assay.cli", *words, "--data", str(stack)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert held.wait(60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
        go_on.set()
        until = time.monotonic() + 30
        while model(client, tenant, MANY).latest_number < 24 and time.monotonic() < until:
            time.sleep(0.1)  # who was killed can't say how fresh a read must be
        assert model(client, tenant, MANY).latest_number == 24
        report = bring(client, url, tenant, MANY)
    assert (report.written, report.known, report.is_clean) == (6, 24, True)
    assert model(client, tenant, MANY).latest_number == 30


def test_two_imports_at_once_write_everything_once(
    client: Client, peer: Server, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_ITEMS", 4)  # many batches, to be overtaken in

    def run() -> Report:
        return bring(client, peer.url, tenant, MANY, options=Options(with_files=False))

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run) for _ in range(2)]
        reports = [it.result() for it in running]
    assert [report.is_clean for report in reports] == [True, True]
    assert model(client, tenant, MANY).latest_number == 30
    numbers = [version(client, tenant, MANY, number).number for number in range(1, 31)]
    assert numbers == list(range(1, 31))


def test_a_name_that_assay_refuses_stops_no_other(
    assay: Assay, client: Client, peer: Server, tenant: str
) -> None:
    hidden, composed = f"a\u200bb{tenant}", f"caf\u00e9-{tenant}"
    decomposed = unicodedata.normalize("NFD", composed)
    for name in (hidden, composed, decomposed):
        peer.post("registered-models/create", {"name": name})
    models = [word for name in (hidden, composed, decomposed) for word in ("--model", name)]
    words = ["import", "mlflow", peer.url, "--namespace", tenant, *models]
    lines = assay.run(*words, status=1).stdout.splitlines()
    refused = [line for line in lines if line.startswith("Refused: ")]
    assert len(refused) == 2
    assert "must not contain invisible characters." in refused[0]
    assert "is in Assay already and was not imported from" in refused[1]
    assert model(client, tenant, composed).imported.claims["name"] == composed


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
    assert f"{name}/2: the source ends at 1; archive it" in "\n".join(gone)


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


def test_a_governed_stage_is_left_to_its_approvers(
    assay: Assay, client: Client, peer: Server, tenant: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"name: two\nmodels: {CHURN}\nstages: production\nquorum: 2\n")
    assay.run("policy", "apply", str(policy), "--namespace", tenant)
    done = assay.run(
        "import",
        "mlflow",
        peer.url,
        "--model",
        CHURN,
        "--namespace",
        tenant,
        "--no-files",
        status=1,
    )
    command = f"assay approval request {CHURN}/5 --stage production --namespace {tenant}"
    assert f"Differs: {CHURN}: stage production: source '5', Assay nothing." in done.stdout
    assert f"Next: {command}" in done.stdout
    stages = client.metadata.ListStages(
        api.ListStagesRequest(parent=f"namespaces/{tenant}/models/{CHURN}")
    ).stages
    assert [stage.name.rpartition("/")[2] for stage in stages] == ["staging"]


def test_a_model_that_is_there_already_is_not_touched(
    client: Client, peer: Server, tenant: str
) -> None:
    parent = f"namespaces/{tenant}"
    client.metadata.CreateModel(api.CreateModelRequest(parent=parent, model_id=CHURN))
    report = bring(client, peer.url, tenant, CHURN, ODD)
    (line,) = report.refused
    assert line.startswith("churn: churn is in Assay already and was not imported from mlflow:")
    assert model(client, tenant, CHURN).latest_number == 0
    assert model(client, tenant, ODD).latest_number == 1


def test_a_version_registered_in_between_is_not_taken_for_the_source_s(
    client: Client, peer: Server, tenant: str
) -> None:
    name = f"mixed-{tenant}"
    peer.post("registered-models/create", {"name": name})
    assert bring(client, peer.url, tenant, name).is_clean
    own = ModelVersion(external_uri="oci://own")
    parent = f"namespaces/{tenant}/models/{name}"
    client.metadata.RegisterModelVersion(
        api.RegisterModelVersionRequest(parent=parent, model_version=own)
    )
    peer.post("model-versions/create", {"name": name, "source": "s3://theirs/model"})
    report = bring(client, peer.url, tenant, name)
    assert f"{name}/1: it was registered in Assay" in "\n".join(report.differences)
    assert version(client, tenant, name, 1).external_uri == "oci://own"


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


def test_a_source_that_fails_now_and_then_is_asked_again(
    client: Client, peer: Server, tenant: str
) -> None:
    asked = list[str]()

    def stumble(ask: Ask) -> Reply:
        asked.append(ask.path)
        return Reply(503) if len(asked) % 3 == 0 else pass_on(peer.url, ask)

    with answering(stumble) as url:
        assert bring(client, url, tenant, CHURN).is_clean
    assert len(asked) > 30


def test_files_that_the_source_cannot_read_stop_the_import_or_stay_where_they_lie(
    client: Client, peer: Server, tenant: str
) -> None:
    def broken(ask: Ask) -> Reply:
        return Reply(500) if ask.path.endswith("MLmodel") else pass_on(peer.url, ask)

    with answering(broken) as url:
        with pytest.raises(SourceFailed, match="--allow-missing-files"):
            bring(client, url, tenant, CHURN)
        assert model(client, tenant, CHURN).latest_number == 0
        assert bring(client, url, tenant, CHURN, options=Options(allow_missing=True)).is_clean
    second = version(client, tenant, CHURN, 2)
    assert second.external_uri.startswith("models:/m-")
    assert second.imported.claims["files"] == "not readable in the source"


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


def test_a_source_that_refuses_us_is_told_in_a_sentence(assay: Assay, tenant: str) -> None:
    with answering(lambda _: Reply(401)) as url:
        error = assay.refused("import", "mlflow", url, "--namespace", tenant)
    assert error["reason"] == "SOURCE_FAILED"
    assert "refuses us (401): give --token" in str(error["message"])
