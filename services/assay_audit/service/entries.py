"""Rows of the log as people read them: decoded from the stored bytes, whatever those are."""

from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from assay.audit.v1.resources_pb2 import LogEntry
from assay.event.v1.envelope_pb2 import Envelope
from assay_audit.queries import LogRow
from assay_events.codec import event_types
from assay_events.envelope import context_of
from assay_trust import digests


def to_entry(row: LogRow, *, with_envelope: bool = False) -> LogEntry:
    """Return what a row of the log says; what cannot be decoded stays empty."""
    entry = LogEntry(
        revision=row.revision,
        context=context_of(row.nats_subject),
        type=row.type,
        digest=digests.sha256(row.body),
        is_valid=row.is_valid,
        defect=row.defect,
        envelope=row.body if with_envelope else b"",
    )
    entry.stream_time.FromDatetime(row.stream_time)
    _fill(entry, _envelope(row.body))
    return entry


def _fill(entry: LogEntry, envelope: Envelope) -> None:
    entry.type = envelope.type or entry.type
    entry.resource = envelope.subject
    entry.request_id = envelope.request_id
    entry.event_id = envelope.id
    entry.causation_id = envelope.causation_id
    entry.reason = envelope.reason.clear
    entry.data_json = _json(envelope)
    if envelope.HasField("actor"):
        entry.actor.CopyFrom(envelope.actor)
    if envelope.HasField("time") and _is_of_the_calendar(envelope.time):
        entry.time.CopyFrom(envelope.time)


def _is_of_the_calendar(time: Timestamp) -> bool:
    """Tell whether a time lies where JSON can show it, in the years 1 to 9999."""
    try:
        return bool(time.ToJsonString())
    except ValueError:
        return False


def _envelope(body: bytes) -> Envelope:
    try:
        return Envelope.FromString(body)
    except DecodeError:
        return Envelope()


def _json(envelope: Envelope) -> str:
    """Return the event as proto JSON, empty where it cannot be read."""
    event_type = event_types().get(envelope.type)
    if event_type is None:
        return ""
    try:
        event = event_type.FromString(envelope.data)
        return MessageToJson(event, preserving_proto_field_name=True, indent=None)
    except (DecodeError, JsonError, ValueError):  # ValueError: a time that no calendar has
        return ""
