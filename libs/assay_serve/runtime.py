"""What a service is made of, and what its `wire` function is given to make it with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from assay_events.commands import Commands
from assay_events.position import Position
from assay_events.projection import Projection
from assay_events.reactions import Reaction
from assay_events.store import EventStore
from assay_serve.peers import PeerChannels
from assay_serve.postgres import Reads
from assay_serve.rights import Rights
from assay_serve.server import Binding
from assay_serve.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that every service shares; what lies behind them may be away."""

    settings: Settings
    store: EventStore
    commands: Commands
    reads: Reads
    position: Position
    peers: PeerChannels
    rights: Rights


@dataclass(frozen=True, slots=True)
class Wired:
    """A wired service: who answers its calls, how it reacts, what it does first, and beside.

    It is ready when each of `first` has been done; each of `beside` runs for ever.
    """

    bindings: tuple[Binding, ...]
    reactions: tuple[Reaction, ...] = ()
    first: tuple[Callable[[], Awaitable[None]], ...] = ()
    beside: tuple[Callable[[], Awaitable[None]], ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its name, its read model where it has one, and how it is wired."""

    name: str
    projection: Projection | None
    wire: Callable[[Runtime], Wired]
