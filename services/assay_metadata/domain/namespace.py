"""The rules of a namespace: created once, and there for ever."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.metadata.v1.events_pb2 import NamespaceCreated
from assay_events.decider import AlreadyExists, Decider


@dataclass(frozen=True, slots=True)
class CreateNamespace:
    """Open a tenant."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Namespace:
    """What the rules remember of a namespace; `name` is empty before it exists."""

    name: str = ""
    description: str = ""


def decide(command: CreateNamespace, state: Namespace) -> Sequence[NamespaceCreated]:
    """Return the facts that `command` brings about."""
    if state.name:
        raise AlreadyExists(state.name)
    return [NamespaceCreated(name=command.name, description=command.description)]


def evolve(_state: Namespace, event: NamespaceCreated) -> Namespace:
    """Return the state after `event`."""
    return Namespace(event.name, event.description)


NAMESPACE: Decider[CreateNamespace, Namespace, NamespaceCreated] = Decider(
    context="metadata",
    aggregate="namespace",
    initial=Namespace(),
    decide=decide,
    evolve=evolve,
    events=(NamespaceCreated,),
)
