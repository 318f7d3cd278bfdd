"""Writes docs/events.md, the catalogue of every event, out of the comments in protos/."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "docs" / "events.md"
HEAD = """# Events

Every change is one of these messages, wrapped in an `assay.event.v1.Envelope` and kept for ever.
`make protos` writes this page out of the comments in `protos/`; edit those.
"""


def catalogue() -> str:
    """Return the page: a part for each context, a heading for each event, a row for each field."""
    parts = [HEAD]
    for file in _files():
        if file.name.endswith("/events.proto"):
            parts += _context(file)
    return "\n".join(parts)


def _files() -> list[FileDescriptorProto]:
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([ROOT / "tools/proto_deps"], check=True, cwd=ROOT)
    image = subprocess.run(
        [buf, "build", "protos", "-o", "-"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    return sorted(FileDescriptorSet.FromString(image).file, key=lambda file: file.name)


def _context(file: FileDescriptorProto) -> Iterator[str]:
    comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}
    yield f"## {file.package}\n"
    for number, message in enumerate(file.message_type):
        yield f"### {message.name}\n\n{_line(comments.get((4, number), ''))}\n"
        yield "| field | type | meaning |\n|---|---|---|"
        for place, field in enumerate(message.field):
            meaning = _line(comments.get((4, number, 2, place), ""))
            yield f"| `{field.name}` | {_type(message, field)} | {meaning} |"
        yield ""


def _line(comment: str) -> str:
    return " ".join(comment.split()).replace("|", "\\|")


def _type(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{nested.name}"):
            key, value = nested.field
            return f"map of {_type(nested, key)} to {_type(nested, value)}"
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = f"`{field.type_name.rsplit('.', 1)[-1]}`" if field.type_name else kind
    is_list = field.label == FieldDescriptorProto.LABEL_REPEATED
    return f"list of {name}" if is_list else name


if __name__ == "__main__":
    CATALOGUE.parent.mkdir(exist_ok=True)
    CATALOGUE.write_text(catalogue())
