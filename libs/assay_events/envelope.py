"""An event on its way: as stored bytes, and as what those bytes say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import Message

from assay.event.v1.envelope_pb2 import Envelope
from assay.type.v1.actor_pb2 import Actor

TYPE_HEADER = "Assay-Type"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to append: the body is a serialised Envelope, verbatim from here on."""

    event_id: str
    type: str
    body: bytes
    time: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of the stream, not yet looked into."""

    nats_subject: str
    type: str
    body: bytes
    revision: int
    stream_time: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decoded event with its place in the stream.

    `defect` says which rule of admission it breaks.
    """

    envelope: Envelope
    event: Message | None
    stored: Stored
    defect: str = ""

    @property
    def revision(self) -> int:
        """Sequence in the stream."""
        return self.stored.revision

    @property
    def stream_time(self) -> datetime:
        """Time that the stream gave it, UTC."""
        return self.stored.stream_time

    @property
    def body(self) -> bytes:
        """The message body, verbatim."""
        return self.stored.body

    @property
    def nats_subject(self) -> str:
        """The aggregate's subject."""
        return self.stored.nats_subject

    @property
    def name(self) -> str:
        """Resource that it is about."""
        return self.envelope.subject

    @property
    def time(self) -> datetime:
        """Clock of the command handler, UTC."""
        return self.envelope.time.ToDatetime(tzinfo=UTC)

    @property
    def actor(self) -> Actor:
        """Who did it."""
        return self.envelope.actor

    @property
    def reason(self) -> str:
        """Why, in the actor's words, empty where none was given."""
        return self.envelope.reason.clear


def context_of(nats_subject: str) -> str:
    """Return the context of a subject: `metadata` of `assay.v1.metadata.model.0f3c…`."""
    return nats_subject.split(".", 3)[2]


def subjects_of(context: str) -> str:
    """Return the pattern of all subjects of a context."""
    return f"assay.v1.{context}.>"


def header_type(headers: Mapping[str, str] | None) -> str:
    """Return the event type that the headers of a message name, empty for none."""
    return (headers or {}).get(TYPE_HEADER, "")
