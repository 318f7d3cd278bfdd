"""One real stack for all stories told through the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PASSPHRASE = "correct horse battery"


@dataclass(frozen=True)
class Assay:
    """The command line on one data folder."""

    data: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, status: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command; it must end with `status` and never with a traceback."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
        done = subprocess.run(
            [sys.executable, "-m", "assay.cli", *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={
                **inherited,
                "ASSAY_DATA": str(self.data),
                "ASSAY_PASSPHRASE": PASSPHRASE,
                **self.environ,
                **environ,
            },
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == status, f"{words}:\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str) -> dict[str, object]:
        """Run a command and return its answer."""
        answer: dict[str, object] = json.loads(self.run(*words, "--json").stdout)
        return answer

    def rows(self, *words: str, of: str) -> list[dict[str, object]]:
        """Run a command and return the messages in a list of its answer."""
        found = self.json(*words)[of]
        assert isinstance(found, list)
        return found

    def refused(self, *words: str) -> dict[str, object]:
        """Run a command that must be refused and return why."""
        done = self.run(*words, "--json", status=1)
        error: dict[str, object] = json.loads(done.stdout)["error"]
        assert set(error) >= {"code", "reason", "message", "metadata"}
        return error

    def enrol(self, login: str, printed_name: str) -> None:
        """Give a person a signing key, at the founding."""
        self.run("key", "enrol", "--as", login, "--name", printed_name)

    def appoint(self, login: str, *roles: str, by: str = "ann") -> None:
        """Give a person roles everywhere; `by` endorses them where the founding is over."""
        for role in roles:
            made = self.json("role", "grant", login, role, "--scope", "*")["role"]
            assert isinstance(made, dict)
            if made["standing"] == "STANDING_PROPOSED":
                self.run("proposal", "endorse", str(made["name"]), "--as", by, "--yes")

    def apply(self, policy: Path, *words: str, by: str = "ann") -> None:
        """Put the one policy of a file in force; `by` endorses it where the founding is over."""
        made = self.json("policy", "apply", str(policy), *words)["policy"]
        assert isinstance(made, dict)
        if made["proposed_number"] != "0":
            version = f"{made['name']}/versions/{made['proposed_number']}"
            self.run("proposal", "endorse", version, "--as", by, "--yes")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the data folder of a running stack."""
    data = tmp_path_factory.mktemp("stack") / "data"
    runner = [sys.executable, "-m", "assay_serve.embedded"]
    done = subprocess.run(
        [*runner, "up", "--data", str(data)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    try:
        yield data
    finally:
        subprocess.run([*runner, "down", "--data", str(data)], check=False, capture_output=True)


def _found(assay: Assay) -> None:
    """Enrol three people and give them roles, before any policy: all of it is in force at once."""
    people = {"ann": "Ann Author", "bob": "Bob Builder", "eve": "Eve Examiner"}
    for login, printed_name in people.items():
        assay.enrol(login, printed_name)
        assay.appoint(login, "contributor", "deployer", "approver:validator")
    for login in ("lee", "zoe"):
        assay.run("principal", "create", "--as", login)
        assay.appoint(login, "contributor", "deployer")


@pytest.fixture(scope="session")
def assay(stack: Path) -> Assay:
    """Give the command line of the running stack, founded by three people."""
    line = Assay(stack)
    _found(line)
    policy = stack.parent / "first.yaml"
    policy.write_text("name: first\nmodels: no-such-model\nstages: production\nquorum: 1\n")
    line.apply(policy)  # from now on everybody's tests endorse, in whichever order they run
    return line


@pytest.fixture(scope="session")
def signers(assay: Assay) -> tuple[str, str, str]:
    """Give three people with keys and roles."""
    assert assay.data.exists()
    return ("ann", "bob", "eve")


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """Give a folder of files that make a small model."""
    folder = tmp_path / "model"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "model.onnx").write_bytes(os.urandom(100_000))
    (folder / "config.json").write_text('{"classes": 2}')
    (folder / "empty").touch()
    return folder
