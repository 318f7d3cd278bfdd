"""A small domain with real events.

A model that is created, takes versions, and is archived and restored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias, assert_never
from uuid import uuid4

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    ModelArchived,
    ModelCreated,
    ModelRestored,
    ModelVersionRegistered,
)
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events.commands import Intent
from assay_events.decider import AlreadyExists, Decider, NotFound, Rejection
from assay_events.envelope import Recorded
from assay_events.projection import Add, Change, Drop, Projection, Put, Write

NAME = "namespaces/default/models/toy"
ANN = Actor(principal="principals/ann", kind=ActorKind.ACTOR_KIND_HUMAN)


@dataclass(frozen=True, slots=True)
class Create:
    """Create the model, and so many versions with it."""

    name: str = NAME
    versions: int = 0


@dataclass(frozen=True, slots=True)
class Register:
    """Register the next version."""

    digest: str = "sha256:0"


@dataclass(frozen=True, slots=True)
class Archive:
    """Archive the model; nothing happens where it is archived."""


@dataclass(frozen=True, slots=True)
class Restore:
    """Restore the model."""


@dataclass(frozen=True, slots=True)
class Model:
    """What the toy rules remember."""

    name: str = ""
    count: int = 0
    is_archived: bool = False


Command: TypeAlias = Create | Register | Archive | Restore
Event: TypeAlias = ModelCreated | ModelVersionRegistered | ModelArchived | ModelRestored


def decide(command: Command, state: Model) -> Sequence[Event]:
    """Return the facts that `command` brings about."""
    if isinstance(command, Create):
        return _create(command, state)
    if not state.name:
        raise NotFound(NAME)
    match command:
        case Register():
            if state.is_archived:
                raise Rejection(Reason.REASON_MODEL_ARCHIVED, "Restore the model first.")
            return [_registered(state.name, state.count + 1, command.digest)]
        case Archive():
            return [] if state.is_archived else [ModelArchived(name=state.name)]
        case Restore():
            return [ModelRestored(name=state.name)]
    assert_never(command)


def evolve(state: Model, event: Event) -> Model:
    """Return the state after `event`."""
    match event:
        case ModelCreated():
            return Model(event.name)
        case ModelVersionRegistered():
            return replace(state, count=event.number)
        case ModelArchived():
            return replace(state, is_archived=True)
        case ModelRestored():
            return replace(state, is_archived=False)
    assert_never(event)


TOY: Decider[Command, Model, Event] = Decider(
    "metadata",
    "model",
    Model(),
    decide,
    evolve,
    (ModelCreated, ModelVersionRegistered, ModelArchived, ModelRestored),
)

SCHEMA = """
CREATE TABLE model (
    name text NOT NULL, state text NOT NULL, latest bigint NOT NULL, time timestamptz NOT NULL,
    from_revision bigint NOT NULL, to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);
CREATE TABLE version (
    revision bigint PRIMARY KEY, name text NOT NULL, data jsonb NOT NULL, tags text[] NOT NULL
);
CREATE TABLE closed (
    name text NOT NULL, from_revision bigint NOT NULL, to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);
-- indexes
CREATE INDEX version_by_name ON version (name);
"""


def apply(recorded: Recorded) -> Iterable[Write]:
    """Return what an event means for the toy tables."""
    match recorded.event:
        case ModelCreated(name=name):
            row = {"name": name, "state": "ACTIVE", "latest": 0, "time": recorded.time}
            yield Put("model", row)
        case ModelVersionRegistered(name=name, number=number):
            row = {"revision": recorded.revision, "name": name, "data": '{"a": 1}', "tags": ["é"]}
            yield Add("version", row)
            yield Change("model", {"name": name.rsplit("/", 2)[0]}, {"latest": number})
        case ModelArchived(name=name):
            yield Change("model", {"name": name}, {"state": "ARCHIVED"})
            yield Put("closed", {"name": name})
        case ModelRestored(name=name):
            yield Change("model", {"name": name}, {"state": "ACTIVE"})
            yield Drop("closed", {"name": name})


PROJECTION = Projection("toy", SCHEMA, TOY.events, apply)


def intent(
    request_id: str = "", digest: bytes = b"digest", etag: str = "", actor: Actor = ANN
) -> Intent:
    """Return an intent of Ann's, with a fresh request id unless one is given."""
    return Intent(actor, request_id or str(uuid4()), digest, datetime.now(UTC), etag=etag)


def _create(command: Create, state: Model) -> Sequence[Event]:
    if state.name:
        raise AlreadyExists(state.name)
    versions = [_registered(command.name, n, "") for n in range(1, command.versions + 1)]
    return [ModelCreated(name=command.name), *versions]


def _registered(model: str, number: int, digest: str) -> ModelVersionRegistered:
    name = f"{model}/versions/{number}"
    return ModelVersionRegistered(name=name, number=number, manifest_digest=digest)
