"""What the protos demand of a field, read once; an unknown demand stops the start."""

from dataclasses import dataclass

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from assay.type.v1 import options_pb2

DEFAULT_MAX_BYTES = 1024
DEFAULT_MAX_ITEMS = 1000
# Page tokens hold the last row's keys, which may be as long as the longest names.
DEFAULT_PAGE_TOKEN_BYTES = 8192
# Resource names hold a model's name, which alone may be 250 characters of four bytes each.
DEFAULT_NAME_BYTES = 2048
_MAX_BYTES_BY_NAME = {
    "page_token": DEFAULT_PAGE_TOKEN_BYTES,
    **dict.fromkeys(
        ("name", "parent", "version", "expected_version", "target"), DEFAULT_NAME_BYTES
    ),
}

_KNOWN = frozenset(
    {
        "deprecated",
        "google.api.field_behavior",
        "assay.type.v1.max_bytes",
        "assay.type.v1.max_items",
    }
)
_KNOWN_BEHAVIOURS = frozenset({"REQUIRED", "OUTPUT_ONLY", "IMMUTABLE", "IDENTIFIER", "OPTIONAL"})


class UnknownAnnotation(Exception):
    """A proto carries an annotation that the validation step does not know how to keep."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What one field must keep to."""

    is_required: bool
    is_identifier: bool
    max_bytes: int
    max_items: int


def demands(field: FieldDescriptor) -> Demands:
    """Return what `field` demands; raise UnknownAnnotation rather than leave a demand unkept."""
    options = field.GetOptions()
    given = {option.full_name: value for option, value in options.ListFields()}
    if len(UnknownFieldSet(options)) or not given.keys() <= _KNOWN:
        raise UnknownAnnotation(f"Teach assay_serve.annotations what {field.full_name} demands.")
    behaviours = _behaviours(field, options)
    max_bytes, max_items = (options.Extensions[name] for name in _LIMITS)
    if (max_bytes and not _has_text(field)) or (max_items and not field.is_repeated):
        raise UnknownAnnotation(f"Put only limits on {field.full_name} that its type can have.")
    by_name = _MAX_BYTES_BY_NAME.get(field.name, DEFAULT_MAX_BYTES)
    return Demands(
        is_required="REQUIRED" in behaviours,
        is_identifier="IDENTIFIER" in behaviours,
        max_bytes=max_bytes or by_name,
        max_items=max_items or DEFAULT_MAX_ITEMS,
    )


_LIMITS = (options_pb2.max_bytes, options_pb2.max_items)


def _behaviours(field: FieldDescriptor, options: Message) -> frozenset[str]:
    numbers: list[int] = list(options.Extensions[field_behavior_pb2.field_behavior])
    names = frozenset(field_behavior_pb2.FieldBehavior.Name(number) for number in numbers)
    if not names <= _KNOWN_BEHAVIOURS:
        raise UnknownAnnotation(f"Teach assay_serve.annotations what {field.full_name} demands.")
    return names


def _has_text(field: FieldDescriptor) -> bool:
    if is_map(field):
        entry = entry_of(field)
        return any(_has_text(part) for part in entry.fields)
    return field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}


def is_map(field: FieldDescriptor) -> bool:
    """Return whether `field` is a map."""
    message = field.message_type
    return message is not None and message.GetOptions().map_entry


def entry_of(field: FieldDescriptor) -> Descriptor:
    """Return the message type of `field`, which holds messages."""
    if field.message_type is None:
        raise TypeError(f"{field.full_name} holds no messages.")
    return field.message_type
