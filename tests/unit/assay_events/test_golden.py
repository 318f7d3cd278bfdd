"""The bytes of each event as it is written today can be read for ever (tests/golden/events.json).

An entry is never changed: a new field of an event gets a new entry beside it, `TYPE#2`. An event
type that has no entry yet is printed by the failing test, ready to be added.
"""

import json
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from assay_events.codec import event_types

GOLDEN = Path(__file__).parents[2] / "golden" / "events.json"
VECTORS: dict[str, str] = json.loads(GOLDEN.read_text())
NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: 7,
    FieldDescriptor.CPPTYPE_INT64: 2**53 + 1,
    FieldDescriptor.CPPTYPE_ENUM: 1,
    FieldDescriptor.CPPTYPE_DOUBLE: 0.5,
    FieldDescriptor.CPPTYPE_BOOL: True,
}


def value(name: str, kind: int, cpp_kind: int) -> object:
    """Return a value for one scalar field."""
    if kind == FieldDescriptor.TYPE_BYTES:
        return name.encode()
    return NUMBERS.get(cpp_kind, f"{name} é")


def fill(message: Message) -> Message:
    """Fill each field of a message, maps and lists with one entry."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name["value"]
            target["key"] = value(entry.name, entry.type, entry.cpp_type)
        elif field.message_type is not None:
            fill(target.add() if field.is_repeated else target)
        elif field.is_repeated:
            target.append(value(field.name, field.type, field.cpp_type))
        else:
            setattr(message, field.name, value(field.name, field.type, field.cpp_type))
    return message


@pytest.mark.parametrize("name", sorted(event_types()))
def test_each_event_has_golden_bytes(name: str) -> None:
    written = fill(event_types()[name]()).SerializeToString().hex()
    entries = [VECTORS[key] for key in VECTORS if key.partition("#")[0] == name]
    assert written in entries, f'add "{name}": "{written}" to {GOLDEN.name}'


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("key", sorted(VECTORS))
def test_golden_bytes_are_read_without_loss(key: str) -> None:
    event = event_types()[key.partition("#")[0]].FromString(bytes.fromhex(VECTORS[key]))
    again = event.SerializeToString()
    event.DiscardUnknownFields()
    assert event.SerializeToString() == again == bytes.fromhex(VECTORS[key])
