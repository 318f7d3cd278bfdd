"""Writes a long and valid history of models, quickly: atomic batches of what commands would write.

Ten events a model, of the kinds and sizes that a model in use has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    ModelCreated,
    ModelFields,
    ModelUpdated,
    ModelVersionRegistered,
    ModelVersionUpdated,
    StageSet,
)
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay.type.v1.metric_pb2 import Metric
from assay_events import admission, codec
from assay_events.connection import Connection
from assay_events.envelope import TYPE_HEADER, NewMessage
from assay_metadata.domain.model import MODEL

DEPLOYMENT = str(uuid4())
EVENTS_A_MODEL = 10
BATCH = 500
OWNER = str(uuid4())
_ACTOR = Actor(
    principal=f"principals/{OWNER}",
    kind=ActorKind.ACTOR_KIND_HUMAN,
    issuer="assay-local",
    acr="local",
    amr=["file"],
    client="assay-python/0.1.0",
)


async def write_models(connection: Connection, events: int) -> None:
    """Write the history of as many models as take `events` events, as the metadata service."""
    models_a_batch = BATCH // EVENTS_A_MODEL
    for first in range(0, events // EVENTS_A_MODEL, models_a_batch):
        models = [f"namespaces/default/models/model-{first + n:07}" for n in range(models_a_batch)]
        await _publish(connection, list(_mixed(models)))


async def write_one_model(connection: Connection, name: str, events: int) -> None:
    """Write one model that was changed again and again."""
    subject, chain = MODEL.subject(name), _Chain()
    for first in range(0, events, BATCH):
        count = min(BATCH, events - first)
        changes = [_change(name, first + number) for number in range(count)]
        await _publish(connection, [(subject, chain.link(subject, event)) for event in changes])


@dataclass(slots=True)
class _Chain:
    """The digest of each subject's last event, which its next event names."""

    digests: dict[str, bytes] = field(default_factory=dict)

    def link(self, nats_subject: str, event: Message) -> NewMessage:
        name: str = getattr(event, "name")  # noqa: B009 - every event has one
        envelope = Envelope(
            id=str(uuid4()),
            source="services/metadata",
            subject=name,
            actor=_ACTOR,
            request_id=str(uuid4()),
            request_digest=sha256(name.encode()).digest(),
            aggregate=nats_subject,
            deployment=DEPLOYMENT,
            previous_digest=self.digests.get(nats_subject, b""),
        )
        envelope.time.FromDatetime(datetime.now(UTC))
        message = codec.encode(envelope, event)
        self.digests[nats_subject] = admission.digest(message.body)
        return message


def _mixed(models: Sequence[str]) -> Iterator[tuple[str, NewMessage]]:
    """Yield the events of some models, the first of each, then the second of each, and so on."""
    chain, histories = _Chain(), [list(_history(model)) for model in models]
    for number in range(EVENTS_A_MODEL):
        for model, events in zip(models, histories, strict=True):
            subject = MODEL.subject(model)
            yield subject, chain.link(subject, events[number])


def _history(model: str) -> Iterator[Message]:
    yield ModelCreated(name=model, description="Churn of retail customers.", tags={"team": "risk"})
    for number in (1, 2, 3):
        yield _registered(model, number)
    for number in (1, 2):
        yield _change(model, number)
    yield ModelVersionUpdated(
        name=f"{model}/versions/3",
        update_mask=FieldMask(paths=["description"]),
        fields=ModelFields(description="Trained again."),
        previous_fields=ModelFields(description="Trained on the data of October."),
    )
    for number in (2, 3):
        yield AliasSet(name=f"{model}/aliases/champion", version=f"{model}/versions/{number}")
    yield StageSet(name=f"{model}/stages/production", version=f"{model}/versions/3")


def _registered(model: str, number: int) -> Message:
    return ModelVersionRegistered(
        name=f"{model}/versions/{number}",
        number=number,
        manifest_digest=f"sha256:{sha256(f'{model}{number}'.encode()).hexdigest()}",
        description="Trained on the data of October.",
        metrics=[Metric(key="accuracy", value=0.91), Metric(key="auc", value=0.88)],
        params={"depth": "7", "rate": "0.1"},
        tags={"author": "ann"},
        size_bytes=1_234_567,
        file_count=3,
    )


def _change(model: str, number: int) -> Message:
    if number == 0:
        return ModelCreated(name=model, description="As it began.")
    return ModelUpdated(
        name=model,
        update_mask=FieldMask(paths=["description"]),
        fields=ModelFields(description=f"Churn of retail customers, edition {number}."),
        previous_fields=ModelFields(description="Churn of retail customers."),
    )


async def _publish(connection: Connection, messages: Sequence[tuple[str, NewMessage]]) -> None:
    """Append one atomic batch."""
    batch_id = uuid4().hex
    for number, (subject, message) in enumerate(messages[:-1], 1):
        await connection.publish(subject, message.body, _headers(message, batch_id, number))
    subject, last = messages[-1]
    headers = _headers(last, batch_id, len(messages)) | {"Nats-Batch-Commit": "1"}
    answer = await connection.request(subject, last.body, headers, seconds=10.0)
    if b'"error"' in answer.data:
        raise RuntimeError(answer.data.decode())


def _headers(message: NewMessage, batch_id: str, number: int) -> dict[str, str]:
    return {
        TYPE_HEADER: message.type,
        "Nats-Batch-Id": batch_id,
        "Nats-Batch-Sequence": str(number),
    }
