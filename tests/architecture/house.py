"""Where things are in this repository: what the completeness tests look up."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from google.protobuf.descriptor import FileDescriptor

ROOT = Path(__file__).resolve().parents[2]
LIBS = ROOT / "libs"
SERVICES = ROOT / "services"
CONTEXTS = ("metadata", "artifact", "lineage", "approval", "audit")


def python_files() -> list[Path]:
    """Return every hand-written Python file of the product."""
    found = (path for folder in (LIBS, SERVICES) for path in folder.rglob("*.py"))
    return sorted(path for path in found if "_pb2" not in path.name)


def relative(path: Path) -> str:
    """Return `path` as a reader of the repository would type it."""
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    """Return the syntax tree of one file."""
    return ast.parse(path.read_text(), filename=str(path))


def room(context: str, name: str) -> list[ModuleType]:
    """Return the modules of one room of a service, whether it is a file or a package."""
    module = importlib.import_module(f"assay_{context}.{name}")
    return [module, *_below(module)]


def room_text(context: str, name: str) -> str:
    """Return the source of one room of a service."""
    return "\n".join(Path(module.__file__ or "").read_text() for module in room(context, name))


def generated(module: str) -> FileDescriptor:
    """Return the descriptor of a generated module, such as `assay.audit.v1.events_pb2`."""
    descriptor = importlib.import_module(module).DESCRIPTOR
    assert isinstance(descriptor, FileDescriptor)
    return descriptor


def event_names(context: str) -> list[str]:
    """Return the full names of the messages in a context's events.proto."""
    file = generated(f"assay.{context}.v1.events_pb2")
    return [message.full_name for message in file.message_types_by_name.values()]


def _below(module: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        yield importlib.import_module(found.name)
