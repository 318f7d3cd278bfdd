"""The main job on the command line: register, be refused, be approved, move, answer, rebuild."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.conftest import Assay

VERSION = "namespaces/default/models/credit/versions/1"
POLICY = """
name: credit-production
models: [credit]
stages: [production]
aliases: [champion]
quorum: 2
description: Two people let it in.
"""


def test_a_model_is_registered_approved_moved_audited_revoked_and_rebuilt(
    assay: Assay, signers: tuple[str, str, str], model_folder: Path, tmp_path: Path
) -> None:
    ann, bob, eve = signers
    # Registered with its files, metrics and run.
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    run = tmp_path / "run.yaml"
    run.write_text(
        "name: nightly\nparams: {depth: 6}\nmetrics: {loss: 0.1}\n"
        "code: {repository: 'https://git.example.org/credit', commit: '3f78'}\n"
        "datasets: [{path: train.csv}]\n"
    )
    words = ("credit", str(model_folder), "--metric", "auc=0.91", "--param", "depth=6")
    made = assay.json("register", *words, "--tag", "team=risk", "--run", str(run))
    version = made["model_version"]
    assert isinstance(version, dict)
    assert version["name"] == VERSION
    assert version["number"] == "1"
    assert version["metrics"][0]["value"] == 0.91
    digest = version["manifest_digest"]

    # Its lineage reaches the data and the code.
    nodes = assay.json("lineage", "up", "credit/1")["nodes"]
    assert isinstance(nodes, list)
    kinds = {node["kind"].removeprefix("NODE_KIND_") for node in nodes}
    assert kinds >= {"VERSION", "RUN", "DATASET", "CODE"}
    (dataset,) = (node["name"] for node in nodes if node["kind"] == "NODE_KIND_DATASET")
    down = assay.json("lineage", "down", dataset)["nodes"]
    assert isinstance(down, list)
    assert VERSION in {node["name"] for node in down}

    # A governed stage refuses, and names the command that asks.
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    assay.apply(policy)
    refusal = assay.refused("stage", "set", "credit", "production", "1")
    assert (refusal["code"], refusal["reason"]) == ("PERMISSION_DENIED", "APPROVAL_REQUIRED")
    told = assay.run("stage", "set", "credit", "production", "1", status=1).stderr
    assert "Next: assay approval request credit/1 --stage production" in told
    assay.run("stage", "set", "credit", "staging", "1")  # not governed

    # Ann asks, so Ann may not sign; the owner never may; Bob counts once.
    asked = assay.json("approval", "request", "credit/1", "--stage", "production", "--as", ann)
    approval = asked["approval"]
    assert isinstance(approval, dict)
    name = str(approval["name"])
    sign = ("approval", "sign", name)
    assert assay.refused(*sign, "--as", ann)["reason"] == "SELF_APPROVAL"
    assert assay.refused(*sign)["reason"] == "OWNER_MAY_NOT_SIGN"
    waiting = assay.json("inbox", "--as", bob)["approvals"]
    assert isinstance(waiting, list)
    assert name in {each["name"] for each in waiting}
    shown = assay.run(*sign, "--as", bob, "--reason", "The numbers hold.").stdout
    assert f"I approve {VERSION} with digest {digest}." in shown
    assert "1 of 2 signed" in shown
    assert assay.refused(*sign, "--as", bob)["reason"] == "ALREADY_SIGNED"
    assert assay.refused("stage", "set", "credit", "production", "1")["code"] == "PERMISSION_DENIED"

    # A wrong passphrase signs nothing.
    wrong = assay.run(*sign, "--as", eve, status=1, ASSAY_PASSPHRASE="not the one")
    assert "Error:" in wrong.stderr

    # Eve completes the quorum; the stage moves by itself.
    before = datetime.now(UTC)
    time.sleep(0.01)
    granted = assay.json("approval", "sign", name.rpartition("/")[2][:13], "--as", eve)["approval"]
    assert isinstance(granted, dict)
    assert granted["state"] == "APPROVAL_STATE_GRANTED"
    resolved = assay.json("show", "credit@production")["model_version"]
    assert isinstance(resolved, dict)
    assert resolved["name"] == VERSION
    assert resolved["stages"] == ["production", "staging"]

    # The auditor is answered as of now and as of before.
    who = ("audit", "who-approved", "credit", "--stage", "production")
    now = assay.json(*who)
    signed = now["signers"]
    assert isinstance(signed, list)
    assert (now["version"], now["approval"], now["manifest_digest"]) == (VERSION, name, digest)
    assert [signer["printed_name"] for signer in signed] == ["Bob Builder", "Eve Examiner"]
    assert assay.json(*who, "--at", before.isoformat())["version"] == ""

    # Revoked: out of the stage, and the answer of a moment ago stands.
    held = str(now["as_of_revision"])
    assay.run("approval", "revoke", name, "--reason", "A leak in the data.", "--as", eve)
    end = time.monotonic() + 10
    while assay.json(*who)["version"] and time.monotonic() < end:
        time.sleep(0.1)
    assert assay.json(*who)["version"] == ""
    assert assay.json(*who, "--at", held)["version"] == VERSION
    assert assay.refused("stage", "set", "credit", "production", "1")["code"] == "PERMISSION_DENIED"

    # The history tells it all, and every table equals its rebuild.
    history = assay.run("history", "credit").stdout
    for event in ("ModelCreated", "ModelVersionRegistered", "StageSet", "StageUnset"):
        assert event in history
    assert "A leak in the data." in assay.run("audit", "log").stdout
    for service in ("metadata", "artifact", "lineage", "approval", "audit"):
        assay.run("rebuild", service)
    checked = assay.json("check")["services"]
    assert isinstance(checked, list)
    assert [each["ok"] for each in checked] == [True] * 5


def test_a_rejection_ends_an_approval(
    assay: Assay, signers: tuple[str, str, str], model_folder: Path, tmp_path: Path
) -> None:
    ann, bob, eve = signers
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: rejected\nmodels: rejected\naliases: champion\nquorum: 2\n")
    assay.apply(policy)
    assay.run("register", "rejected", str(model_folder), "--as", ann)
    asked = assay.json("approval", "request", "rejected/1", "--alias", "champion", "--as", ann)
    approval = asked["approval"]
    assert isinstance(approval, dict)
    name = str(approval["name"])
    assert "Say why" in str(
        assay.refused("approval", "reject", name, "--reason", " ", "--as", bob)["message"]
    )
    done = assay.json("approval", "reject", name, "--reason", "Biased.", "--as", bob)["approval"]
    assert isinstance(done, dict)
    assert done["state"] == "APPROVAL_STATE_REJECTED"
    assert assay.refused("approval", "sign", name, "--as", eve)["reason"] == "NOT_OPEN"
    assert assay.refused("alias", "set", "rejected", "champion", "1")["code"] == "PERMISSION_DENIED"
    assert "Bob Builder rejected" in assay.run("approval", "show", name).stdout


def test_events_are_watched_from_any_position(assay: Assay) -> None:
    lines = assay.run("events", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    revisions = [int(event["event"]["revision"]) for event in events]
    assert revisions == list(range(1, len(revisions) + 1))
    assert events[0]["envelope"]["type"] == "assay.audit.v1.LogFounded"
    assert all(event["data"] is not None for event in events)
    later = assay.run("events", "--json", "--from", "3").stdout.splitlines()
    assert json.loads(later[0])["event"]["revision"] == "3"


def test_events_are_followed_as_they_come_until_interrupted(assay: Assay) -> None:
    line = [sys.executable, "-m", "assay.cli", "events", "--follow", "--json"]
    line += ["--data", str(assay.data), "--resource", "namespaces/default/models/followed"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        weights = assay.data / "endpoints.json"  # any file will do
        assay.run("register", "followed", str(weights))
        seen = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr.read() == ""
    types = [event["envelope"]["type"].rpartition(".")[2] for event in seen]
    assert types == ["ModelCreated", "ModelVersionRegistered"]


def test_a_reader_that_has_enough_ends_the_command_quietly(assay: Assay) -> None:
    line = f"{sys.executable} -m assay.cli events --follow --data {assay.data} | head -n 1"
    done = subprocess.run(  # the shell is the point: it closes the pipe
        ["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False
    )
    assert "LogFounded" in done.stdout
    assert done.stderr == ""
