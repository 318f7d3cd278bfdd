"""The registry on the command line: made, changed, found, compared, resolved, given back."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Assay

CARD = "purpose: Who leaves?\nlimits: Not for firms.\nlicence: Apache-2.0\n"


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """Give a file to register."""
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    return str(file)


def rows(answer: dict[str, object], field: str) -> list[dict[str, Any]]:
    """Return a list of an answer."""
    listed = answer[field]
    assert isinstance(listed, list)
    return listed


def one(answer: dict[str, object], field: str) -> dict[str, Any]:
    """Return one resource of an answer."""
    found = answer[field]
    assert isinstance(found, dict)
    return found


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


def test_the_past_is_read_and_compared(assay: Assay, weights: str) -> None:
    assay.run("register", "aged", weights, "--metric", "auc=0.7", "--param", "depth=6")
    assay.run("alias", "set", "aged", "champion", "1")
    (newest,) = rows(assay.json("audit", "log", "--newest", "--limit", "1"), "entries")
    then = newest["revision"]
    assay.run("register", "aged", weights, "--metric", "auc=0.8", "--param", "depth=8")
    assay.run("alias", "set", "aged", "champion", "2")
    assay.run("model", "update", "aged", "--tier", "low")

    assert (
        one(assay.json("show", "aged@champion", "--as-of", then), "model_version")["number"] == "1"
    )
    assert one(assay.json("show", "aged@champion"), "model_version")["number"] == "2"
    assert len(rows(assay.json("versions", "aged", "--as-of", then), "model_versions")) == 1
    assert one(assay.json("model", "show", "aged", "--as-of", then), "model")["tier"] == ""
    alias = one(assay.json("alias", "show", "aged", "champion", "--as-of", then), "alias")
    assert alias["version"].endswith("/1")
    assert rows(assay.json("alias", "list", "aged", "--as-of", then), "aliases")

    changes = rows(assay.json("model", "diff", "aged", "--since", then), "changes")
    assert {(c["resource"].rpartition("/")[2], c["field"]) for c in changes} >= {
        ("champion", "version"),
        ("aged", "tier"),
        ("2", "params.depth"),
    }
    assert (
        rows(assay.json("model", "diff", "aged", "--since", then, "--until", then), "changes") == []
    )
    everything = rows(assay.json("namespace", "diff", "--since", then), "changes")
    assert [c for c in everything if c["resource"].split("/")[3] == "aged"] == changes

    compared = assay.run("version", "compare", "aged/1", "aged@champion").stdout.splitlines()
    assert [line.split() for line in compared[:3]] == [
        ["FIELD", "aged/1", "aged/2"],
        ["metrics.auc", "0.7", "0.8"],
        ["params.depth", "6", "8"],
    ]
    assert compared[-1] == "Their files are the same, byte for byte."
    of_alias = rows(assay.json("history", "aged@champion"), "entries")
    assert [entry["type"].rpartition(".")[2] for entry in of_alias] == ["AliasSet", "AliasSet"]
    of_version = rows(assay.json("history", "aged/2"), "entries")
    assert [e["type"].rpartition(".")[2] for e in of_version] == ["ModelVersionRegistered"]
    future = assay.refused("show", "aged/1", "--as-of", "99999999999999999999999")
    assert (future["reason"], future["next"]) == (
        "BAD_MOMENT",
        "assay audit log --newest --limit 1",
    )


def test_a_stage_graph_and_canaries_and_the_way_back(
    assay: Assay, weights: str, tmp_path: Path
) -> None:
    for _ in range(3):
        assay.run("register", "staged", weights)
    graph = tmp_path / "graph.yaml"
    graph.write_text(
        "rules:\n- {stage: live, from_stages: [trial], max_holders: 2}\n- {stage: trial}\n"
    )
    shown = assay.run("stage", "graph", "set", str(graph), "staged").stdout
    assert shown == "live from trial, up to 2 at once\ntrial from anywhere\n"
    assert assay.run("stage", "graph", "show", "staged").stdout == shown
    told = assay.run("stage", "set", "staged", "live", "1", status=1).stderr
    assert told.splitlines()[-1] == "Next: assay stage graph show staged"
    for number in ("1", "2", "3"):
        assay.run("stage", "set", "staged", "trial", number)
        beside = ("--beside", "--weight", "20") if number == "2" else ()
        assay.run("stage", "set", "staged", "live", number, *beside) if number != "3" else None
    held = assay.run("stage", "show", "staged", "live").stdout
    assert "staged/1 and staged/2 (20 %)" in held
    too_many = assay.refused("stage", "set", "staged", "live", "3", "--beside")
    assert too_many["reason"] == "TOO_MANY_HOLDERS"
    replaced = ("stage", "set", "staged", "live", "3", "--archive-previous")
    assert assay.run(*replaced).stdout == "staged@live is staged/3 now.\n"
    archived = one(assay.json("show", "staged/2"), "model_version")
    assert archived["state"] == "STATE_ARCHIVED"
    for number in ("1", "2"):
        assay.run("version", "restore", f"staged/{number}")
    back = assay.run("stage", "rollback", "staged", "live", "--expect", "3", "--reason", "Slow.")
    assert back.stdout.startswith("staged@live is staged/")
    holdings = rows(assay.json("stage", "holdings", "staged", "live"), "holdings")
    assert {h["version"].rpartition("/")[2] for h in holdings} == {"1", "2", "3"}
    stages = rows(assay.json("stage", "list", "staged"), "stages")
    assert [s["name"].rpartition("/")[2] for s in stages] == ["live", "trial"]

    assert assay.run("stage", "graph", "unset", "staged").stdout.startswith("Every move")
    graph.write_text("rules:\n- {stage: live, max_holders: 99999999999999}\n")
    refusal = assay.refused("stage", "graph", "set", str(graph), "staged")
    assert refusal["fields"] == {"max_holders": "must be a whole number"}
    once = assay.refused("alias", "rollback", "staged", "nowhere")
    assert once["next"] in {"assay alias holdings staged nowhere", "assay versions staged"}


def test_many_names_are_resolved_at_once(assay: Assay, weights: str) -> None:
    for number in range(3):
        assay.run("register", f"many-{number}", weights)
        assay.run("alias", "set", f"many-{number}", "champion", "1")
    assay.run("stage", "set", "many-0", "live", "1")
    names = [f"many-{number}@champion" for number in (2, 0, 1)]
    resolved = rows(assay.json("resolve", *names, "many-0@live"), "resolved")
    assert [each["name"].split("/")[3] for each in resolved] == [
        "many-2",
        "many-0",
        "many-1",
        "many-0",
    ]
    line = [sys.executable, "-m", "assay.cli", "resolve", "--data", str(assay.data)]
    given = "many-1@champion\n\nmany-1@nothing\nmany-1@champion"
    done = subprocess.run(line, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 1, "One of them points at nothing."
    assert [row.split()[:2] for row in done.stdout.splitlines()[1:]] == [
        ["many-1@champion", "many-1/1"],
        ["many-1@nothing", "nothing"],
        ["many-1@champion", "many-1/1"],
    ]
    assert assay.refused("resolve", "many-0/1")["reason"] == "MALFORMED"
    got = assay.json("version", "get", "many-2/1", "many-0/1", "many-0/9")
    assert [v["name"].split("/")[3] for v in rows(got, "model_versions")] == ["many-2", "many-0"]
    assert got["missing_names"] == ["namespaces/default/models/many-0/versions/9"]


def test_a_namespace_is_made_and_used(assay: Assay, weights: str) -> None:
    assay.run("namespace", "create", "laboratory", "--description", "Nothing serves from here.")
    listed = assay.run("namespace", "list").stdout
    assert "Nothing serves from here." in listed
    made = assay.run("register", "churn", weights, ASSAY_NAMESPACE="laboratory")
    assert made.stdout.startswith("Registered churn/1")
    shown = assay.json("show", "churn/1", "--namespace", "laboratory")
    assert one(shown, "model_version")["name"].startswith("namespaces/laboratory/")
    told = assay.run("namespace", "create", "laboratory", status=1).stderr
    assert "Next: assay namespace show laboratory" in told
    missing = assay.run("show", "churn/2", "--namespace", "laboratory", status=1).stderr
    assert "Next: assay versions churn --namespace laboratory" in missing


ODD = ("it's a $HOME; rm -rf *", "-minus", "naïve 模型 🙃", 'quo"ted `id`', "a\\b*?[x]")


@pytest.mark.parametrize("name", ODD)
def test_the_next_command_can_be_pasted_whatever_the_name(
    assay: Assay, weights: str, name: str
) -> None:
    assay.run("register", "--", name, weights)
    told = assay.run("alias", "set", "--", name, "champion", "9", status=1).stderr
    following = told.splitlines()[-1].removeprefix("Next: assay ")
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m assay.cli {following} --data '{assay.data}'"]
        if not name.startswith("-")
        else ["sh", "-c", f"ASSAY_DATA='{assay.data}' {sys.executable} -m assay.cli {following}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{following}: {done.stderr}"
    assert done.stdout.splitlines()[1].startswith("1  active")


def test_what_others_wrote_neither_moves_nor_hides_what_is_printed(
    assay: Assay, weights: str
) -> None:
    evil = "safe\u202egnp.exe\x1b[2J\u0085\nError: forged"
    assay.run("register", "evil", weights, "--description", evil, "--tag", f"note={evil}")
    assay.run("alias", "set", "evil", "champion", "1", "--reason", evil)
    assay.run("register", "plain", weights)
    for words in (
        ("show", "evil/1"),
        ("versions", "evil"),
        ("history", "evil"),
        ("history", "evil", "--json"),
        ("show", "evil/1", "--json"),
        ("version", "compare", "evil/1", "plain/1"),
        ("audit", "log", "--resource", "namespaces/default/models/evil"),
        ("events", "--json", "--resource", "namespaces/default/models/evil"),
    ):
        done = assay.run(*words)
        assert all(c.isprintable() or c == "\n" for c in done.stdout + done.stderr), words
    told = json.loads(assay.run("show", "evil/1", "--json").stdout)
    assert told["model_version"]["description"] == evil
