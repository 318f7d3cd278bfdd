"""The command line as a program: quick, and never a traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from assay.cli.main import app


def run(*words: str, data: Path | None = None, **given: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ASSAY_")}
    environ.update(given)
    if data:
        environ["ASSAY_DATA"] = str(data)
    line = [sys.executable, "-m", "assay.cli", *words]
    return subprocess.run(line, capture_output=True, text=True, env=environ, check=False)


COMMANDS = [
    "namespace",
    "model",
    "version",
    "card",
    "resolve",
    "up",
    "down",
    "status",
    "register",
    "pull",
    "models",
    "versions",
    "show",
    "history",
    "inbox",
    "events",
    "rebuild",
    "check",
    "login",
    "logout",
    "alias",
    "stage",
    "lineage",
    "policy",
    "approval",
    "key",
    "audit",
]


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f" {name} " in done.stdout


def test_help_imports_neither_grpc_nor_a_server() -> None:
    code = (
        "import sys; from assay.cli import main; "
        "heavy = {'grpc', 'google', 'yaml', 'cryptography', 'urllib3', 'asyncpg', 'assay_serve'}; "
        "sys.exit(str(heavy & {name.partition('.')[0] for name in sys.modules} or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    "words",
    [["approval", "sign"], ["register", "x"], ["nonsense"], ["stage", "set", "a", "b", "c"]],
)
def test_wrong_usage_ends_with_status_2(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def leaves(found: object, words: tuple[str, ...] = ()) -> list[tuple[str, TyperCommand]]:
    """Return all commands below a group, each with its words."""
    if isinstance(found, TyperGroup):
        parts = found.commands.items()
        return [leaf for name, part in parts for leaf in leaves(part, (*words, name))]
    assert isinstance(found, TyperCommand)
    return [(" ".join(words), found)]


@pytest.mark.parametrize(("words", "found"), leaves(typer.main.get_command(app)))
def test_every_command_takes_the_shared_options_and_says_what_it_does(
    words: str, found: TyperCommand
) -> None:
    flags = {flag for parameter in found.params for flag in parameter.opts}
    assert flags >= {"--data", "--json", "--as", "--namespace"}, words
    assert (found.help or "").rstrip().endswith("."), words


def test_groups_are_nouns_with_verbs() -> None:
    words = dict(leaves(typer.main.get_command(app)))
    assert {"model rename", "version compare", "stage graph set", "alias rollback"} <= set(words)
    assert words["models"].help == words["model list"].help


def test_without_a_stack_the_next_command_is_named(tmp_path: Path) -> None:
    done = run("models", data=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith("Error: No stack has been started in ")
    assert done.stderr.splitlines()[1] == "Next: assay up"


def test_an_error_is_json_where_json_is_asked_for(tmp_path: Path) -> None:
    done = run("show", "churn", "--json", "--data", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == ""
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "FAILED_PRECONDITION"
    assert error["reason"] == "NOT_STARTED"
    assert error["metadata"] == {"data": str(tmp_path)}
    assert error["message"].endswith(".")


def test_who_signs_must_be_named(tmp_path: Path) -> None:
    done = run("key", "enrol", data=tmp_path)
    assert done.returncode == 1
    assert "--as USER" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_nobody_foresaw_is_one_line_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "identity").mkdir()
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    (tmp_path / "endpoints.json").write_text(json.dumps(dict.fromkeys(names, "127.0.0.1:1")))
    (tmp_path / "identity" / "issuer.pem").write_text("not a key")
    (tmp_path / "identity" / "jwks.json").write_text("[]")
    (tmp_path / "secrets.json").write_text('{"owner": "x"}')
    done = run("models", data=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr


def test_a_stack_that_does_not_answer_is_told_in_a_sentence_of_ours(tmp_path: Path) -> None:
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    with socket.socket() as bound:  # taken by us and listened to by nobody
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        (tmp_path / "endpoints.json").write_text(json.dumps(dict.fromkeys(names, address)))
        done = run("models", data=tmp_path, ASSAY_TOKEN="e30.e30.e30")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: The stack in {tmp_path} does not answer: it is down, or still starting.",
        "Next: assay status",
    ]


def test_arguments_that_are_no_text_are_refused(tmp_path: Path) -> None:
    line = [sys.executable.encode(), *b"-m assay.cli models --filter \xff --data".split()]
    line.append(os.fsencode(tmp_path))
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    (tmp_path / "endpoints.json").write_text(json.dumps(dict.fromkeys(names, "127.0.0.1:1")))
    environ = {**os.environ, "ASSAY_TOKEN": "e30.e30.e30"}
    done = subprocess.run(line, capture_output=True, text=True, env=environ, check=False)
    told = "Error: Write names and texts in UTF-8.\nNext: assay models --help\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_service_that_does_not_answer_is_named(tmp_path: Path) -> None:
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        ports = {name: there.getsockname()[1] for name in names}
        ports["metadata"] = ports["audit"] = silent.getsockname()[1]
        addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        (tmp_path / "endpoints.json").write_text(json.dumps(addresses))
        done = run("models", "--json", data=tmp_path, ASSAY_TOKEN="e30.e30.e30")
    error = json.loads(done.stdout)["error"]
    assert error["message"] == f"Of the stack in {tmp_path}, metadata, audit do not answer."
    assert (error["code"], error["next"]) == ("UNAVAILABLE", "assay status")
    assert "Connection refused" in error["metadata"]["details"]
