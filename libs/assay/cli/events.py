"""Events as one JSON object a line, decoded as far as this version of Assay knows them."""

import importlib
import json
from functools import cache

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from assay.cli.screen import to_dict
from assay.cli.visible import visible_json
from assay.event.v1.envelope_pb2 import Envelope, RecordedEvent

_CONTEXTS = ("metadata", "artifact", "lineage", "approval", "audit")


def line(event: RecordedEvent) -> str:
    """Return an event on one line: as delivered, its envelope, and its data."""
    envelope = Envelope.FromString(event.envelope)
    data = _decoded(envelope)
    about = to_dict(envelope)
    about.pop("data")  # it follows, decoded
    whole = {
        "event": to_dict(event),
        "envelope": about,
        "data": to_dict(data) if data else None,
    }
    return visible_json(json.dumps(whole, ensure_ascii=False))


def _decoded(envelope: Envelope) -> Message | None:
    """Return the event in an envelope; none (None) where it is of a later version."""
    _load()
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(envelope.type)
        return message_factory.GetMessageClass(descriptor).FromString(envelope.data)
    except (KeyError, DecodeError):
        return None


@cache
def _load() -> None:
    for context in _CONTEXTS:
        importlib.import_module(f"assay.{context}.v1.events_pb2")
