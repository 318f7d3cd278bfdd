"""The distribution holds what the tree holds, and its requirements are pinned."""

import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.house import LIBS, ROOT, SERVICES, relative

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROTO = 'syntax = "proto3";\npackage tiny.v1;\n// Tiny.\nmessage Tiny {}\n'


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_wheel_holds_every_package() -> None:
    packages = CONFIG["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    tree = [path for folder in (LIBS, SERVICES) for path in folder.iterdir()]
    there = {relative(path) for path in tree if (path / "__init__.py").is_file()}
    assert set(packages) == there, "List the package in pyproject.toml, under hatch's packages."


@pytest.mark.parametrize("script", CONFIG["project"]["scripts"].items(), ids=lambda item: item[0])
def test_each_script_leads_to_a_function(script: tuple[str, str]) -> None:
    module, function = script[1].split(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    "lock", [path for path in LOCKS if path.stem != "constraints"], ids=relative
)
def test_requirements_are_pinned_with_hashes_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)
    entries = re.split(r"\n(?=[A-Za-z])", re.sub(r"(?m)^#.*\n", "", text).strip())
    for entry in entries:
        assert re.match(r"[\w.\-\[\]]+==\S+", entry), f"Pin {entry.splitlines()[0]}."
        assert "--hash=sha256:" in entry, f"Give {entry.splitlines()[0]} its hashes."


def test_generated_python_follows_its_protos(build: ModuleType, tmp_path: Path) -> None:
    protos, target = tmp_path / "protos", tmp_path / "libs"
    proto = protos / "tiny/v1/tiny.proto"
    proto.parent.mkdir(parents=True)
    proto.write_text(PROTO)
    build.generate(protos, target)
    names = {path.name for path in (target / "tiny/v1").iterdir()}
    assert {"tiny_pb2.py", "tiny_pb2.pyi", "tiny_pb2_grpc.py", "tiny_pb2_grpc.pyi"} <= names
    proto.unlink()
    build.generate(protos, target)
    assert not list(target.rglob("*_pb2*"))


def test_protos_that_do_not_compile_are_refused(build: ModuleType, tmp_path: Path) -> None:
    proto = tmp_path / "protos/tiny.proto"
    proto.parent.mkdir()
    proto.write_text("message {")
    with pytest.raises(SystemExit, match="do not compile"):
        build.generate(proto.parent, tmp_path / "libs")


def test_a_wheel_holds_all_that_the_packages_need(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = set(wheel.namelist())
    for folder in (LIBS, SERVICES):
        needed = {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        }
        assert not needed - held, "Let the wheel hold these too."
    assert "assay/metadata/v1/metadata_service_pb2_grpc.pyi" in held
