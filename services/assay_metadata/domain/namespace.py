"""The rules of a namespace: created once, there for ever, with a stage graph for its models."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from assay.metadata.v1.events_pb2 import NamespaceCreated, NamespaceStageGraphSet
from assay.metadata.v1.resources_pb2 import StageGraph
from assay_events.decider import AlreadyExists, Decider, NotFound


@dataclass(frozen=True, slots=True)
class CreateNamespace:
    """Open a tenant."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class SetNamespaceStageGraph:
    """Say which moves between stages are allowed to models without a graph of their own."""

    name: str
    graph: StageGraph


@dataclass(frozen=True, slots=True)
class Namespace:
    """What the rules remember of a namespace; `name` is empty before it exists."""

    name: str = ""
    description: str = ""
    graph: StageGraph = field(default_factory=StageGraph)


Command: TypeAlias = CreateNamespace | SetNamespaceStageGraph
Event: TypeAlias = NamespaceCreated | NamespaceStageGraphSet


def decide(command: Command, state: Namespace) -> Sequence[Event]:
    """Return the facts that `command` brings about."""
    match command:
        case CreateNamespace():
            if state.name:
                raise AlreadyExists(state.name)
            return [NamespaceCreated(name=command.name, description=command.description)]
        case SetNamespaceStageGraph():
            return _set_stage_graph(command, state)
    assert_never(command)


def evolve(state: Namespace, event: Event) -> Namespace:
    """Return the state after `event`."""
    match event:
        case NamespaceCreated():
            return Namespace(event.name, event.description)
        case NamespaceStageGraphSet():
            return replace(state, graph=event.graph)
    assert_never(event)


def _set_stage_graph(command: SetNamespaceStageGraph, state: Namespace) -> Sequence[Event]:
    if not state.name:
        raise NotFound(command.name)
    if command.graph == state.graph:
        return []
    return [
        NamespaceStageGraphSet(name=command.name, graph=command.graph, previous_graph=state.graph)
    ]


NAMESPACE: Decider[Command, Namespace, Event] = Decider(
    context="metadata",
    aggregate="namespace",
    initial=Namespace(),
    decide=decide,
    evolve=evolve,
    events=(NamespaceCreated, NamespaceStageGraphSet),
)
