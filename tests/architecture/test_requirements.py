"""Each test that names a requirement names one of docs/requirements.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.house import ROOT, relative, tree

LIST = (ROOT / "docs" / "requirements.md").read_text()
NAMES = re.findall(r"(?m)^\| ([A-Z]\d+(?:\.\d+)?) \| [^|]+ \| [^|]+ \|$", LIST)
SUITES = ROOT / "tests"


def marks(path: Path) -> Iterator[ast.Call]:
    """Return each `requirement(…)` in a file of tests."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Call(func=ast.Attribute(attr="requirement")):
                yield node
            case _:
                pass


@pytest.mark.parametrize("path", sorted(SUITES.rglob("test_*.py")), ids=relative)
def test_every_mark_names_a_requirement_of_the_list(path: Path) -> None:
    for mark in marks(path):
        assert mark.args, f"Name a requirement in line {mark.lineno}."
        for arg in mark.args:
            named = arg.value if isinstance(arg, ast.Constant) else None
            assert named in NAMES, f"Line {mark.lineno}: name an id of docs/requirements.md."


def test_marks_are_found() -> None:
    assert [*marks(SUITES / "integration/approval/test_steps.py")]


def test_the_list_has_every_requirement_once() -> None:
    assert len(NAMES) == len(set(NAMES))
    whole = {name for name in NAMES if "." not in name}
    counts = {"A": 9, "S": 9, "W": 13, "R": 6, "V": 2}
    assert whole == {f"{part}{n + 1}" for part, count in counts.items() for n in range(count)}
    assert {name.partition(".")[0] for name in NAMES} == whole
