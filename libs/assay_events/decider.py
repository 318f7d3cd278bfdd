"""What a domain is made of: a decider, and the refusals that its rules raise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Generic, TypeVar

from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason

Command = TypeVar("Command")
State = TypeVar("State")
Event = TypeVar("Event", bound=Message)


class Refusal(Exception):
    """A command that the rules do not let through; nothing was changed."""

    def __init__(self, reason: Reason.ValueType, message: str, **metadata: str) -> None:
        """Keep the reason for programs and the message for people."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = metadata


class Invalid(Refusal):
    """The request itself is wrong, whatever the state; `field` says where."""

    def __init__(self, reason: Reason.ValueType, message: str, field: str = "") -> None:
        """Keep the field that is wrong, empty where it is the request as a whole."""
        super().__init__(reason, message)
        self.field = field


class NotFound(Refusal):
    """The named resource is not there."""

    def __init__(self, name: str, hint: str = "") -> None:
        """Keep the name of what is missing; `hint` is a sentence that says what to do."""
        text = f"{name} does not exist. {hint}".rstrip()
        super().__init__(Reason.REASON_NOT_FOUND, text, name=name)
        self.name = name


class AlreadyExists(Refusal):
    """The named resource is there already."""

    def __init__(self, name: str) -> None:
        """Keep the name of what is there."""
        super().__init__(Reason.REASON_ALREADY_EXISTS, f"{name} exists already.", name=name)
        self.name = name


class Rejection(Refusal):
    """A rule forbids it in this state."""


class Forbidden(Refusal):
    """A rule forbids it because of who asks, or for want of an approval."""


class Aborted(Refusal):
    """Somebody else changed the resource first; read it again and decide again."""


@dataclass(frozen=True, slots=True)
class Decider(Generic[Command, State, Event]):
    """The rules of one kind of aggregate: pure, synchronous, without a clock, ids or I/O."""

    context: str
    aggregate: str
    initial: State
    decide: Callable[[Command, State], Sequence[Event]]
    evolve: Callable[[State, Event], State]
    events: tuple[type[Event], ...]

    def subject(self, name: str) -> str:
        """Return the NATS subject on which all events of the aggregate called `name` lie."""
        return subject(self.context, self.aggregate, name)

    def fold(self, events: Iterable[Event]) -> State:
        """Return the state after `events`."""
        state = self.initial
        for event in events:
            state = self.evolve(state, event)
        return state


@lru_cache(maxsize=16_384)  # every event and command asks, mostly about the same few aggregates
def subject(context: str, aggregate: str, name: str) -> str:
    """Return the NATS subject of an aggregate: its token is 128 bits of the name's SHA-256."""
    return f"assay.v1.{context}.{aggregate}.{sha256(name.encode()).hexdigest()[:32]}"
