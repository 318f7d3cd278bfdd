"""One call as its handler sees it: who asks, how long it may take, which request it is."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias
from uuid import uuid4

from google.protobuf.message import Message

from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_events.commands import Intent
from assay_events.envelope import Recorded
from assay_events.ids import reaction_id
from assay_trust import personal

# What a handler is given. The generated servicers name grpc's own class here; ours gives a Call,
# which the functions of this module read.
Context: TypeAlias = object
_SERVICE = ActorKind.ACTOR_KIND_SERVICE  # looked up once, not at each call


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call; `deadline` is on the clock of `time.monotonic`."""

    method: str
    actor: Actor
    deadline: float
    traceparent: str = ""


current: ContextVar[Call | None] = ContextVar("assay_call", default=None)


def call_of(context: Context) -> Call:
    """Return the call behind the context of a handler."""
    if not isinstance(context, Call):
        raise TypeError("Serve this handler with assay_serve.server.")
    return context


def actor(context: Context) -> Actor:
    """Return who calls, as the verified token says."""
    return call_of(context).actor


def time_left(context: Context) -> float:
    """Return the seconds until the deadline, at least 0."""
    return max(0.0, call_of(context).deadline - time.monotonic())


def intent(request: Message, context: Context, etag: str | None = None) -> Intent:
    """Return the circumstances of the command that `request` asks for."""
    call = call_of(context)
    request_id = _text(request, "request_id").lower()
    return Intent(
        actor=call.actor,
        request_id=request_id or str(uuid4()),
        request_digest=request_digest(call.method, request),
        time=datetime.now(UTC),
        etag=_text(request, "etag") if etag is None else etag,
        reason=personal_text(_text(request, "reason")),
        traceparent=call.traceparent,
    )


def reaction_intent(recorded: Recorded, reaction: str, service: str) -> Intent:
    """Return the circumstances of the command with which `service` reacts to an event."""
    cause = recorded.envelope.id
    return Intent(
        actor=service_actor(service),
        request_id=reaction_id(cause, reaction),
        request_digest=sha256(f"{reaction}\n{cause}".encode()).digest(),
        time=datetime.now(UTC),
        causation_id=cause,
        traceparent=recorded.envelope.traceparent,
    )


def service_actor(service: str) -> Actor:
    """Return the actor of a service that acts by itself, as in services/metadata."""
    return Actor(principal=service, kind=_SERVICE, issuer="assay-service")


def request_digest(method: str, request: Message) -> bytes:
    """Return what tells a retry from another request under the same id."""
    asked = type(request)()
    asked.CopyFrom(request)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        asked.ClearField("request_id")
    body = asked.SerializeToString(deterministic=True)
    return sha256(method.encode() + b"\n" + body).digest()


def personal_text(clear: str) -> PersonalText | None:
    """Return `clear` with a fresh commitment, None for the empty text."""
    if not clear:
        return None
    salt = personal.new_salt()
    return PersonalText(clear=clear, salt=salt, commitment=personal.commit(clear, salt))


def _text(request: Message, name: str) -> str:
    value: object = getattr(request, name, "")
    return value if isinstance(value, str) else ""
