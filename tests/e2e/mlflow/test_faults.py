"""Imports that are killed, raced, refused, or meet a source that fails."""

import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.mlflow import importing
from assay.mlflow.faults import SourceFailed
from assay.mlflow.options import Options
from assay.mlflow.report import Report
from tests.e2e.conftest import Assay
from tests.e2e.mlflow.registry import CHURN, MANY, ODD, bring, model, version
from tests.support.http_between import Ask, Reply, answering, pass_on
from tests.support.mlflow_server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it may install MLflow first


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


def test_a_governed_stage_is_left_to_its_approvers(
    assay: Assay, client: Client, peer: Server, tenant: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"name: two\nmodels: {CHURN}\nstages: production\nquorum: 2\n")
    assay.apply(policy, "--namespace", tenant)
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


def test_a_source_that_refuses_us_is_told_in_a_sentence(assay: Assay, tenant: str) -> None:
    with answering(lambda _: Reply(401)) as url:
        error = assay.refused("import", "mlflow", url, "--namespace", tenant)
    assert error["reason"] == "SOURCE_FAILED"
    assert "refuses us (401): give --token" in str(error["message"])


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
