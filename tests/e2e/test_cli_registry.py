"""The registry on the command line: made, described, drafted, found page by page."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.answers import one, rows
from tests.e2e.conftest import Assay

CARD = "purpose: Who leaves?\nlimits: Not for firms.\nlicence: Apache-2.0\n"


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """Give a file to register."""
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    return str(file)


def test_a_model_is_made_described_and_renamed(assay: Assay) -> None:
    made = assay.json("model", "create", "made", "--tier", "high", "--owner", "teams/risk")
    assert one(made, "model")["tier"] == "high"
    told = assay.run("model", "create", "made", status=1).stderr
    assert told.splitlines()[1] == "Next: assay model show made"
    before = one(assay.json("model", "show", "made"), "model")["etag"]
    changed = ("--description", "Who leaves?", "--tag", "team=risk", "--tag", "old=1")
    assay.run("model", "update", "made", *changed)
    assay.run(
        "model", "update", "made", "--untag", "old", "--owner", "ann", "--disown", "teams/risk"
    )
    model = one(assay.json("model", "show", "made"), "model")
    assert (model["tags"], model["owners"]) == ({"team": "risk"}, ["ann"])
    assert (model["description"], model["tier"]) == ("Who leaves?", "high")

    stale = assay.refused("model", "update", "made", "--tier", "low", "--etag", before)
    assert (stale["reason"], stale["next"]) == ("ETAG_MISMATCH", "assay model show made")
    assert assay.refused("model", "update", "made")["reason"] == "REQUIRED"

    assay.run("model", "rename", "made", "remade", "--reason", "A better name.")
    renamed = one(assay.json("model", "show", "made"), "model")
    assert (renamed["name"], renamed["display_name"]) == (
        "namespaces/default/models/made",
        "remade",
    )
    assert one(assay.json("model", "show", "remade"), "model")["name"] == renamed["name"]
    assert "remade (made)" in assay.run("models").stdout
    history = assay.run("history", "remade").stdout
    assert "owners: teams/risk → ann" in history
    assert "tags.old: 1 → -" in history
    assert "reason: A better name." in history

    assert "To undo: assay model restore made" in assay.run("model", "archive", "made").stdout
    assert one(assay.json("model", "show", "made"), "model")["state"] == "STATE_ARCHIVED"
    assay.run("model", "restore", "made")
    got = assay.json("model", "get", "made", "nowhere")
    assert [model["display_name"] for model in rows(got, "models")] == ["remade"]
    assert got["missing_names"] == ["namespaces/default/models/nowhere"]


def test_two_people_add_labels_at_once_and_both_stay(assay: Assay) -> None:
    assay.run("model", "create", "labelled")
    words = [sys.executable, "-m", "assay.cli", "model", "update", "labelled"]
    words += ["--data", str(assay.data), "--tag"]
    writers = [subprocess.Popen([*words, f"{key}=1"], stdout=subprocess.DEVNULL) for key in "abc"]
    assert [writer.wait(timeout=90) for writer in writers] == [0, 0, 0]
    tags = one(assay.json("model", "show", "labelled"), "model")["tags"]
    assert tags == {"a": "1", "b": "1", "c": "1"}


def test_a_version_has_a_card_and_is_archived_and_restored(
    assay: Assay, weights: str, tmp_path: Path
) -> None:
    assay.run("register", "carded", weights)
    card = tmp_path / "card.yaml"
    card.write_text(CARD)
    assay.run("version", "update", "carded/1", "--card", str(card), "--tag", "a=b")
    shown = assay.run("card", "show", "carded/1").stdout.splitlines()
    assert "complete  3 of 6 parts, 50%" in shown
    assert "missing   data, metrics, ethics" in shown
    assert shown[-1] == "Next: assay version update carded/1 --card FILE"
    filled = "".join(f"{part}: x\n" for part in ("data", "metrics", "ethics"))
    card.write_text(CARD + filled)
    assay.run("version", "update", "carded/1", "--card", str(card))
    full = assay.run("card", "show", "carded/1").stdout.splitlines()
    assert full[-1] == "complete  6 of 6 parts, 100%"
    version = one(assay.json("show", "carded/1"), "model_version")
    assert version["tags"] == {"a": "b"}
    found = assay.json(
        "version", "search", "--filter", "card_completeness = 1.0 AND model = carded"
    )
    assert [each["number"] for each in rows(found, "model_versions")] == ["1"]

    card.write_text("purpose: x\ncolour: red\n")
    refusal = assay.refused("version", "update", "carded/1", "--card", str(card))
    assert "card.yaml: colour is not a field; there are schema, purpose" in str(refusal["message"])
    assay.run("version", "archive", "carded/1")
    told = assay.run("alias", "set", "carded", "champion", "1", status=1).stderr
    assert "Next: assay version restore carded/1" in told
    assay.run("version", "restore", "carded/1")
    assay.run("alias", "set", "carded", "champion", "1")
    held = assay.run("version", "archive", "carded/1", status=1).stderr
    assert "Next: assay show carded/1" in held


def test_a_draft_is_sealed_once(assay: Assay, weights: str, tmp_path: Path) -> None:
    about = tmp_path / "about.yaml"
    about.write_text(
        "format: {name: onnx, version: 1.17, flavors: {onnx: {data: model.onnx}}}\n"
        "signature:\n"
        "  inputs: [{name: age, type: float32, shape: [-1, 28]}]\n"
        "  outputs: [{name: leaves, type: float32, shape: [-1], is_optional: true}]\n"
        "metrics: [{key: latency, value: 3.5, unit: ms}]\n"
        "parent_versions: [base/1]\n"
        f"card:\n  {CARD.replace(chr(10), chr(10) + '  ')}\n"
    )
    assay.run("register", "base", weights)
    words = ("drafted", "--semantic-version", "2.1.0", "--about", str(about))
    drafted = assay.run("version", "draft", *words, "--metric", "auc=0.9").stdout
    assert drafted == "Drafted drafted/1. Next: assay version seal drafted/1 PATH\n"
    draft = assay.run("alias", "set", "drafted", "champion", "1", status=1).stderr
    assert "Next: assay version seal drafted/1 PATH" in draft
    assert assay.run("version", "seal", "drafted/1", weights).stdout.startswith("Sealed drafted/1:")
    shown = assay.run("show", "drafted/1").stdout
    for fact in (
        "semantic version  2.1.0",
        "format            onnx 1.17 (flavors onnx)",
        "inputs            age float32[-1, 28]",
        "outputs           leaves float32[-1] (optional)",
        "metrics           auc=0.9, latency=3.5ms",
        "made from         base/1",
        "card              3 of 6 parts",
    ):
        assert fact in shown.splitlines()
    (tmp_path / "other").write_text("other")
    again = assay.refused("version", "seal", "drafted/1", str(tmp_path / "other"))
    assert (again["reason"], again["next"]) == ("VERSION_SEALED", "assay show drafted/1")


def test_files_elsewhere_are_a_claim(assay: Assay) -> None:
    digest = f"sha256:{'0' * 64}"
    words = ("elsewhere", "oci://registry.example.org/churn:1", digest)
    assert "with files at oci://" in assay.run("version", "refer", *words).stdout
    version = one(assay.json("show", "elsewhere/1"), "model_version")
    assert version["external_uri"] == "oci://registry.example.org/churn:1"
    assert version["manifest_digest"] == digest


def test_versions_are_found_page_by_page(assay: Assay, weights: str) -> None:
    for number in range(5):
        words = ("--metric", f"auc=0.{number}", "--tag", "kind=paged")
        assay.run("register", f"paged-{number % 2}", weights, *words)
    where = ("--filter", "tags.kind = paged", "--order-by", "metrics.auc desc")
    first = assay.json("version", "search", *where, "--limit", "2", "--count")
    assert first["total_count"] == "5"
    told = assay.run("version", "search", *where, "--limit", "2", "--count").stdout.splitlines()
    assert told[-2] == "2 of 5"
    following = told[-1].removeprefix("Next: assay ")
    assay.run("register", "paged-0", weights, "--metric", "auc=0.35", "--tag", "kind=paged")
    seen = [float(each["number"]) for each in rows(first, "model_versions")]
    while following:
        done = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m assay.cli {following} --data '{assay.data}'"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        is_more = done[-1].startswith("Next: assay ")
        following = done[-1].removeprefix("Next: assay ") if is_more else ""
        seen += [0.0 for line in done if line.startswith("paged-")]
    assert len(seen) == 5, "A version that came later is in none of the pages."
    assert rows(assay.json("model", "search", "paged", "--count"), "models")
    text = assay.json("version", "search", "paged-1")
    assert {each["name"].split("/")[3] for each in rows(text, "model_versions")} == {"paged-1"}
