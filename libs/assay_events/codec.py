"""Bytes to events and back. Stored bytes are never serialised again."""

from datetime import UTC
from functools import cache

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

import assay.approval.v1.events_pb2
import assay.artifact.v1.events_pb2
import assay.audit.v1.events_pb2
import assay.lineage.v1.events_pb2
import assay.metadata.v1.events_pb2
from assay.error.v1.error_reason_pb2 import Reason
from assay.event.v1.envelope_pb2 import Envelope
from assay_events.decider import Invalid
from assay_events.envelope import NewMessage, Recorded, Stored
from assay_events.errors import StreamCorrupt

MAX_EVENT_BYTES = 60_000

_EVENT_MODULES = (
    assay.metadata.v1.events_pb2,
    assay.artifact.v1.events_pb2,
    assay.lineage.v1.events_pb2,
    assay.approval.v1.events_pb2,
    assay.audit.v1.events_pb2,
)


@cache
def event_types() -> dict[str, type[Message]]:
    """Return each event type of Assay by its full name."""
    found: dict[str, type[Message]] = {}
    for module in _EVENT_MODULES:
        for name in module.DESCRIPTOR.message_types_by_name:
            message_class: type[Message] = getattr(module, name)
            found[message_class.DESCRIPTOR.full_name] = message_class
    return found


def encode(envelope: Envelope, event: Message) -> NewMessage:
    """Return the message that carries `event` in `envelope`; refuse one that is too large."""
    envelope.type = event.DESCRIPTOR.full_name
    envelope.data = event.SerializeToString()
    body = envelope.SerializeToString()
    if len(body) > MAX_EVENT_BYTES:
        raise Invalid(
            Reason.REASON_TOO_LARGE,
            f"The event would take {len(body)} bytes, {MAX_EVENT_BYTES} are allowed; "
            f"shorten `{_largest_field(event)}`.",
            field=_largest_field(event),
        )
    return NewMessage(envelope.id, envelope.type, body, envelope.time.ToDatetime(tzinfo=UTC))


def decode(stored: Stored) -> Recorded:
    """Return what a stored message says; raise StreamCorrupt where it says nothing that we know."""
    recorded = decode_leniently(stored)
    if recorded.event is None:
        raise unreadable(recorded)
    return recorded


def unreadable(recorded: Recorded) -> StreamCorrupt:
    """Return the error that says why an event cannot be read."""
    text = f"The event at revision {recorded.revision} cannot be read: {recorded.defect}"
    return StreamCorrupt(text, recorded.revision)


def decode_leniently(stored: Stored) -> Recorded:
    """Return what a stored message says.

    `event` is None and `defect` is set where it cannot be read.
    """
    try:
        envelope = Envelope.FromString(stored.body)
    except DecodeError:
        return Recorded(Envelope(), None, stored, "its body is not an envelope.")
    event_type = event_types().get(envelope.type)
    if event_type is None:
        return Recorded(envelope, None, stored, f"its type {envelope.type!r} is unknown.")
    try:
        return Recorded(envelope, event_type.FromString(envelope.data), stored)
    except DecodeError:
        return Recorded(envelope, None, stored, f"its data is not a {envelope.type}.")


def _largest_field(event: Message) -> str:
    """Return the name of the field that takes the most bytes."""
    sizes = {
        field.name: len(_only(event, field).SerializeToString()) for field, _ in event.ListFields()
    }
    return max(sizes, key=lambda name: sizes[name], default="")


def _only(event: Message, field: FieldDescriptor) -> Message:
    """Return a copy of `event` with nothing but one field."""
    copy = type(event)()
    copy.CopyFrom(event)
    for other, _ in event.ListFields():
        if other.name != field.name:
            copy.ClearField(other.name)
    return copy
