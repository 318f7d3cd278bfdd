"""A projection is a pure function from one event to row writes.

The same writes run live, as batched SQL, and in a rebuild, folded in memory and copied: so a
rebuild cannot differ
from the live tables by construction, and is fast (docs/adr/0005).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from google.protobuf.message import Message

from assay_events.envelope import Recorded

OPEN = 2**63 - 1
INDEXES = "-- indexes"

Row: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Add:
    """An immutable row."""

    table: str
    row: Row


@dataclass(frozen=True, slots=True)
class Carry:
    """Values that another row knows: of the row of `table` that holds and has `key`.

    `columns` says for each column here its column there.
    """

    table: str
    key: Row
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Put:
    """A row that holds from this revision on.

    The row of the same key that held before ends here. `carry` fills in what the event does not
    say; that row must be there.
    """

    table: str
    row: Row
    carry: Carry | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """The row of this key goes on with some other values; it must be there."""

    table: str
    key: Row
    changes: Row


@dataclass(frozen=True, slots=True)
class Drop:
    """The row of this key ends at this revision, if there is one."""

    table: str
    key: Row


Write: TypeAlias = Add | Put | Change | Drop


@dataclass(frozen=True, slots=True)
class Projection:
    """One read model: its name is its Postgres schema.

    `events` are the types that it reads, of any context; None means every message of the stream,
    valid or not
    (`apply` then finds what is wrong in `recorded.defect`).
    """

    name: str
    schema: str
    events: tuple[type[Message], ...] | None
    apply: Callable[[Recorded], Iterable[Write]]
    admit: Callable[[Recorded], str] = lambda _: ""

    @property
    def contexts(self) -> frozenset[str] | None:
        """Contexts whose events must be followed, None for all."""
        if self.events is None:
            return None
        return frozenset(event.DESCRIPTOR.full_name.split(".")[1] for event in self.events)

    @property
    def tables_sql(self) -> str:
        """The part of the schema that is made before loading."""
        return self.schema.partition(INDEXES)[0]

    @property
    def indexes_sql(self) -> str:
        """The part of the schema that is made after loading."""
        return self.schema.partition(INDEXES)[2]

    @property
    def schema_digest(self) -> str:
        """Digest of the schema's text: another one calls for a rebuild."""
        return sha256(self.schema.encode()).hexdigest()
