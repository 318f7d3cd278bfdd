"""Rules import nothing that could wait, read a clock or make up a value."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.house import SERVICES, relative, tree

ALLOWED = re.compile(
    r"""assay_events\.decider(\..*)?
    | assay\.\w+\.v1(\.\w+_pb2(\..*)?)?  # the messages
    | assay\.names(\..*)?                # names are values
    | assay_trust(\..*)?                 # pure: bytes in, verdict out
    | assay_\w+\.domain(\..*)?           # which service, import-linter says
    | assay\.(endorsements|times)(\..*)?  # pure: what a second person's signature covers
    | assay_approval\.(signatures|verdict|conditions)(\..*)?  # what rules and read model share
    | immutables(\..*)?                 # persistent maps
    | google\.protobuf(\..*)?
    | (collections|dataclasses|datetime|decimal|enum|fractions|functools|hashlib|itertools|json|math
       |operator|re|string|typing|unicodedata|uuid)(\..*)?
    """,
    re.VERBOSE,
)
# Pure modules still have a few impure names.
IMPURE = {"datetime.now", "datetime.utcnow", "datetime.today", "uuid.uuid1", "uuid.uuid4", "uuid4"}

domain_files = pytest.mark.parametrize(
    "path",
    sorted(SERVICES.glob("*/domain/**/*.py")) + sorted(SERVICES.glob("*/domain.py")),
    ids=relative,
)


def imported(path: Path) -> list[str]:
    """Return the dotted names that a file imports."""
    names: list[str] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@domain_files
def test_rules_import_only_what_is_pure(path: Path) -> None:
    foreign = [name for name in imported(path) if not ALLOWED.fullmatch(name)]
    assert not foreign, f"Rules may not import {foreign}; let the service gather the fact."


@domain_files
def test_rules_ask_no_clock_and_make_up_nothing(path: Path) -> None:
    module = tree(path)
    called = {ast.unparse(node.func) for node in ast.walk(module) if isinstance(node, ast.Call)}
    assert not called & IMPURE, "Time and ids come in with the command."


@domain_files
def test_rules_do_not_wait(path: Path) -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node for node in ast.walk(tree(path)) if isinstance(node, waits)]
