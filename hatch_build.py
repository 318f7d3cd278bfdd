"""Generates the Python of `protos/`: run by hatchling at install and by `make protos`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


class ProtoBuildHook(BuildHookInterface[Any]):
    """Generates before every build, so that an install always fits its protos."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the generated modules before hatchling collects the files."""
        root = Path(self.root)
        generate(root / "protos", root / "libs")


def generate(protos: Path, target: Path) -> list[Path]:
    """Write the modules of `protos` and their typed stubs below `target`; return the protos read.

    Only what changed is written, each file at once, so that a running program never reads half a
    module. What an earlier run left for protos that are gone is removed.
    """
    sources = sorted(protos.rglob("*.proto"))
    folder = protos.parent / "build"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if sources:
            _run_protoc(protos, sources, Path(scratch))
        _replace(Path(scratch), target)
    return sources


def _run_protoc(protos: Path, sources: list[Path], target: Path) -> None:
    outputs = {"python": "", "grpc_python": "", "mypy": "quiet:", "mypy_grpc": "quiet:"}
    command = [sys.executable, "-m", "grpc_tools.protoc"]
    command += [f"-I{folder}" for folder in (protos, *_google_protos())]
    command += [f"--plugin={name}={_plugin(name)}" for name in PLUGINS]
    command += [f"--{output}_out={options}{target}" for output, options in outputs.items()]
    command += [str(path.relative_to(protos)) for path in sources]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit("The protos do not compile; protoc says above where.")


def _replace(made: Path, target: Path) -> None:
    wanted = {path.relative_to(made): path for path in made.rglob("*_pb2*.py*")}
    for name, path in wanted.items():
        place = target / name
        if not place.is_file() or place.read_bytes() != path.read_bytes():
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    for path in target.rglob("*_pb2*.py*"):
        if "__pycache__" not in path.parts and path.relative_to(target) not in wanted:
            path.unlink()


def _google_protos() -> list[Path]:
    """Return the folders that hold google/api, google/rpc and google/protobuf."""
    import google.api  # noqa: PLC0415 - there only in a build environment
    import grpc_tools  # noqa: PLC0415

    common = Path(next(iter(google.api.__path__))).parents[1]
    return [common, Path(next(iter(grpc_tools.__path__))) / "_proto"]


def _plugin(name: str) -> str:
    """Return the path of a protoc plugin: beside this Python, or where pip put a build's tools."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which(name, path=path)
    if found is None:
        raise SystemExit(f"{name} is missing; install mypy-protobuf beside {sys.executable}.")
    return found


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    print(f"Generated the Python of {len(generate(here / 'protos', here / 'libs'))} protos.")
