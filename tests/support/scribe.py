"""Writes events of every service onto a real stream, valid or not, without the services."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from google.protobuf.message import Message

from assay.event.v1.envelope_pb2 import Envelope
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events import admission, codec
from assay_events.connection import Address, Connection
from assay_events.decider import subject
from assay_events.envelope import NewMessage
from assay_events.jetstream import JetStream
from assay_events.setup import set_up
from assay_events.store import EventStore
from assay_serve.embedded import nats
from assay_serve.embedded.contexts import SERVICES

DEPLOYMENT = "11111111-1111-4111-8111-111111111111"
OWNER = "22222222-2222-4222-8222-222222222222"
ANN = Actor(principal=f"principals/{OWNER}", kind=ActorKind.ACTOR_KIND_HUMAN)
_AGGREGATES = {
    "namespaces": "namespace",
    "models": "model",
    "approvals": "approval",
    "runs": "run",
    "principals": "principal",
    "artifacts": "manifest",
}


class Scribe:
    """Holds a connection of each service."""

    def __init__(self, stores: Mapping[str, EventStore]) -> None:
        """Write over `stores`, by context."""
        self.stores = stores

    async def write(
        self,
        event: Message,
        actor: Actor = ANN,
        header: str = "",
        **fields: object,
    ) -> int:
        """Write a valid event, but for what `header` and `fields` of the envelope say.

        Return its revision.
        """
        context = event.DESCRIPTOR.full_name.split(".")[1]
        name: str = getattr(event, "name")  # noqa: B009 - every event has one
        nats_subject = subject_of(context, name)
        last = await self.stores[context].last(nats_subject)
        envelope = Envelope(
            id=str(uuid4()),
            source=f"services/{context}",
            subject=name,
            actor=actor,
            request_id=str(uuid4()),
            aggregate=nats_subject,
            deployment=DEPLOYMENT,
            previous_digest=admission.digest(last.body) if last else b"",
        )
        envelope.time.FromDatetime(datetime.now(UTC))
        for field, value in fields.items():
            if isinstance(value, datetime):
                getattr(envelope, field).FromDatetime(value)
            else:
                setattr(envelope, field, value)
        message = codec.encode(envelope, event)
        message = replace(message, type=header or message.type)
        return await self._append(context, nats_subject, message)

    async def write_raw(self, context: str, body: bytes, type_: str = "", tail: str = "x.y") -> int:
        """Write any bytes as one of the services could; return the revision."""
        message = NewMessage(str(uuid4()), type_, body, datetime.now(UTC))
        return await self._append(context, f"assay.v1.{context}.{tail}", message)

    async def _append(self, context: str, nats_subject: str, message: NewMessage) -> int:
        store = self.stores[context]
        last = await store.last(nats_subject)
        return await store.append(nats_subject, [message], last.revision if last else 0)


def subject_of(context: str, name: str) -> str:
    """Return the subject of the aggregate that a resource belongs to."""
    pieces = name.split("/")
    if pieces[2:3] == ["policies"]:
        return subject(context, "policies", "/".join(pieces[:2]))
    length = 2 if pieces[0] == "principals" else min(len(pieces), 4)
    aggregate = _AGGREGATES[pieces[length - 2]]
    return subject(context, aggregate, "/".join(pieces[:length]))


@asynccontextmanager
async def writing(bus: nats.Bus) -> AsyncIterator[Scribe]:
    """Found the log on a fresh server, and give a connection of each service."""
    async with AsyncExitStack() as opened:
        setup = Address(bus.url, "setup", bus.passwords["setup"], prefix="$JS.API.")
        connection = await Connection.open(setup)
        await set_up(connection, DEPLOYMENT, OWNER)
        await connection.close()
        stores: dict[str, JetStream] = {}
        for service in SERVICES:
            address = Address(bus.url, service, bus.passwords[service])
            own = await Connection.open(address)
            opened.push_async_callback(own.close)
            stores[service] = JetStream(own)
        yield Scribe(stores)
