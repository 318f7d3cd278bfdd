"""Files, functions and names keep the house's shape."""

import ast
from pathlib import Path

import pytest

from tests.architecture.house import LIBS, SERVICES, python_files, relative, tree

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 50
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "common", "base", "manager", "misc"}

every_file = pytest.mark.parametrize("path", python_files(), ids=relative)


@every_file
def test_a_file_is_short_and_its_name_says_something(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_OF_A_FILE, "Split this file by subject."
    assert path.stem not in NAMES_THAT_SAY_NOTHING, "Name this file after what is in it."


@every_file
def test_a_function_fits_a_screen(path: Path) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree(path)):
        if isinstance(node, functions):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= LINES_OF_A_FUNCTION, f"Split {node.name}: it has {lines} lines."


@every_file
def test_there_is_one_way_in(path: Path) -> None:
    module = tree(path)
    names = [node.id for node in ast.walk(module) if isinstance(node, ast.Name)]
    assert "__all__" not in names, "Say private with an underscore, not with __all__."
    if path.name == "__init__.py":
        words = "An __init__.py holds a docstring and nothing else."
        assert ast.get_docstring(module), words
        assert len(module.body) == 1, words


def test_no_module_hides_a_proto_package() -> None:
    protos = {path.parents[1].name for path in (LIBS / "assay").glob("*/v1/*_pb2.py")}
    own = {path.stem for path in (LIBS / "assay").glob("*.py")}
    assert not protos & own


def test_each_package_says_what_it_is() -> None:
    for folder in (*LIBS.iterdir(), *SERVICES.iterdir()):
        if folder.name.startswith("assay"):
            assert (folder / "__init__.py").is_file(), f"Give {relative(folder)} an __init__.py."
