"""The registry on the command line: compared, moved, given back, resolved, whatever the names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.answers import one, rows
from tests.e2e.conftest import Assay


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """Give a file to register."""
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    return str(file)


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
