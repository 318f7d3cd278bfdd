"""The command line as a program: quick, and never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*words: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ASSAY_")}
    if data:
        environ["ASSAY_DATA"] = str(data)
    line = [sys.executable, "-m", "assay.cli", *words]
    return subprocess.run(line, capture_output=True, text=True, env=environ, check=False)


COMMANDS = [
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


def test_every_command_takes_the_shared_options() -> None:
    for words in (["models"], ["approval", "sign"], ["stage", "set"], ["audit", "who-approved"]):
        done = run(*words, "--help")
        for option in ("--data", "--json", "--as", "--namespace"):
            assert option in done.stdout


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
