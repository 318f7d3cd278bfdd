"""The examples of docs/cli.md run as they stand, and there is one of each command."""

import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from assay.cli.main import app
from tests.e2e.conftest import PASSPHRASE, Assay

DOCS = Path(__file__).parents[2] / "docs"
NAMESPACE = "documented"
_FENCES = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a reader fills in, and where an answer told it last.
PLACEHOLDERS = {
    "APPROVAL": r"approvals/([0-9a-f-]{36})",
    "PROPOSAL": r"proposal endorse (\S+)",
    "REVISION": r"(?m)^(\d+) +\d{4}-\d\d-\d\d ",
    "TOKEN": r"--page (\S+)",
}


@dataclass(frozen=True)
class Example:
    """A command line and the lines that it must print, in this order, among others."""

    line: str
    expected: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Say whether it must fail."""
        return any(line.startswith("Error: ") for line in self.expected)


def fences(language: str) -> list[str]:
    """Return the blocks of a language in the page."""
    text = (DOCS / "cli.md").read_text()
    return [body for name, body in _FENCES.findall(text) if name == language]


def examples() -> Iterator[Example]:
    """Yield the examples of the page in order."""
    for block in fences("console"):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            line, *expected = part.rstrip("\n").split("\n")
            yield Example(line, tuple(expected))


@pytest.fixture
def desk(assay: Assay, tmp_path: Path) -> Path:
    """Give a folder with the files that the examples name."""
    for block in fences("yaml"):
        name = block.partition("\n")[0].removeprefix("# ")
        assert name.endswith(".yaml"), "Begin each file of an example with its name."
        (tmp_path / name).write_text(block)
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"weights")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "assay"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m assay.cli "$@"\n')
    program.chmod(0o755)
    assay.run("namespace", "create", NAMESPACE)
    return tmp_path


def run(desk: Path, assay: Assay, line: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    return subprocess.run(
        ["sh", "-c", line.replace("namespaces/default", f"namespaces/{NAMESPACE}")],
        cwd=desk,
        env={
            **environ,
            "PATH": f"{desk / 'bin'}:{environ['PATH']}",
            "ASSAY_DATA": str(assay.data),
            "ASSAY_NAMESPACE": NAMESPACE,
            "ASSAY_PASSPHRASE": PASSPHRASE,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def filled_in(line: str, told: str) -> str:
    """Return a command line with what earlier answers told in the place of its placeholders."""
    for word, pattern in PLACEHOLDERS.items():
        if word in line.split():
            line = line.replace(word, re.findall(pattern, told)[-1])
    return line


def is_like(printed: str, expected: str) -> bool:
    """Say whether a printed line is the expected one, where … stands for anything."""
    parts = (re.escape(" ".join(part.split())) for part in expected.split("…"))
    return bool(re.fullmatch(" ?.*".join(parts), " ".join(printed.split())))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_examples_run_and_print_what_the_page_says(assay: Assay, desk: Path) -> None:
    told = ""
    for example in examples():
        line = filled_in(example.line, told)
        done = run(desk, assay, line)
        assert bool(done.returncode) == example.is_refused, f"$ {line}\n{done.stdout}"
        left = iter(done.stdout.splitlines())
        for expected in example.expected:
            assert any(is_like(printed, expected) for printed in left), (
                f"$ {line}\n{done.stdout}\nThe page says: {expected}"
            )
        told += done.stdout


def leaves(found: object, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the words of all commands below a group."""
    if isinstance(found, TyperGroup):
        for name, part in found.commands.items():
            yield from leaves(part, (*words, name))
    else:
        yield " ".join(words)


@pytest.mark.parametrize("words", list(leaves(typer.main.get_command(app))))
def test_each_command_has_an_example(words: str) -> None:
    blocks = [body for page in DOCS.glob("*.md") for _, body in _FENCES.findall(page.read_text())]
    lines = [line for block in blocks for line in block.splitlines()]
    assert any(fnmatch.fnmatch(line, f"*assay {words}*") for line in lines), (
        f"Give `assay {words}` an example in docs/cli.md."
    )


def test_a_page_that_promises_something_else_is_found_out() -> None:
    assert is_like("churn/2  auc=0.87  owner", "churn/2 …")
    assert is_like("N  STATE   STAGES", "N  STATE …")
    assert not is_like("churn/2 is there", "churn/3 …")
    assert not is_like("churn/2 is there", "churn/2 is")
