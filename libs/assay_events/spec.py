"""Tests of rules that read as sentences: given some events, when a command, then other events."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic

from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Command, Decider, Event, Refusal, State


@dataclass(frozen=True, slots=True)
class Spec(Generic[Command, State, Event]):
    """A decider under test, and what has happened so far."""

    decider: Decider[Command, State, Event]
    history: tuple[Event, ...] = ()

    def given(self, *events: Event) -> "Spec[Command, State, Event]":
        """Add what has happened before the command."""
        return Spec(self.decider, (*self.history, *events))

    def when(self, command: Command) -> "Outcome":
        """Let the rules decide about `command`."""
        try:
            events = self.decider.decide(command, self.decider.fold(self.history))
        except Refusal as refusal:
            return Outcome(refusal=refusal)
        return Outcome(events=tuple(events))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules said to a command."""

    events: tuple[Message, ...] = ()
    refusal: Refusal | None = None

    def then(self, *expected: Message) -> None:
        """Assert that exactly these events came about."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert list(self.events) == list(expected)

    def then_nothing(self) -> None:
        """Assert that the command was let through and changed nothing."""
        self.then()

    def then_rejected(self, reason: Reason.ValueType) -> Refusal:
        """Assert that the command was refused for `reason`; return the refusal."""
        assert self.refusal is not None, f"let through: {self.events}"
        assert Reason.Name(self.refusal.reason) == Reason.Name(reason)
        return self.refusal


def run(decider: Decider[Command, State, Event], script: Iterable[Any]) -> list[Event]:
    """Return the events that a script of commands brings about; refused commands bring none."""
    history: list[Event] = []
    state = decider.initial
    for command in script:
        try:
            events = decider.decide(command, state)
        except Refusal:
            continue
        for event in events:
            state = decider.evolve(state, event)
            history.append(event)
    return history
