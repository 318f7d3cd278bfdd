"""What approval does by itself: voids what changed, and records that a time is over."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

import asyncpg

from assay.metadata.v1.events_pb2 import ModelVersionArchived, ModelVersionUpdated
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Command, Expire, Remind, Void
from assay_approval.domain.requesting import EVALUATED
from assay_events import token
from assay_events.commands import Commands, Intent
from assay_events.decider import Aborted, Refusal
from assay_events.envelope import Recorded, context_of
from assay_events.errors import ProjectionBehind, Unavailable
from assay_events.reactions import Reaction
from assay_serve.call import reaction_intent, service_actor
from assay_serve.postgres import Reads

SERVICE = "services/approval"
VOID_ON_CHANGE = "void-on-change"
_LOOK_SECONDS = 0.5
_AWAY = (
    Unavailable,
    ProjectionBehind,
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Watchman:
    """Keeps approvals true to what they are about, and to the clock."""

    commands: Commands
    reads: Reads

    def reactions(self) -> tuple[Reaction, ...]:
        """Return what it does when something happened elsewhere."""
        on = (ModelVersionUpdated, ModelVersionArchived)
        return (Reaction(VOID_ON_CHANGE, on, self.void),)

    async def void(self, recorded: Recorded) -> None:
        """Void the running approvals of a version of which something that counts has changed."""
        change = _change(recorded)
        if not change or context_of(recorded.nats_subject) != "metadata":
            return
        try:
            async with self.reads.at(token.encode(recorded.revision)) as snapshot:
                names = await queries.of_version(snapshot.db, recorded.name)
            for name in names:
                intent = reaction_intent(recorded, f"{VOID_ON_CHANGE} {name}", SERVICE)
                await self.commands.handle(APPROVAL, name, Void(name, change), intent)
        except (ProjectionBehind, Aborted) as wait:  # the reactor tries again
            raise Unavailable(f"Try again to void the approvals of {recorded.name}.") from wait

    async def watch_clock(self) -> None:
        """Record for ever which approvals have ended, or are to be renewed."""
        while True:
            with suppress(*_AWAY):  # CheckGrant looks at the clock itself
                await self.tick(datetime.now(UTC))
            await asyncio.sleep(_LOOK_SECONDS)

    async def tick(self, now: datetime) -> None:
        """Record what is over, or due, at `now`."""
        async with self.reads.at("") as snapshot:
            due = await queries.due(snapshot.db, now, _AT_ONCE)
        for name, what in due:
            command: Command = Expire(name, now) if what == "end" else Remind(name, now)
            with suppress(Refusal):  # the next look tries again
                await self.commands.handle(APPROVAL, name, command, _intent(name, what, now))


def _change(recorded: Recorded) -> str:
    """Return what changed of a version that an approval rests on, empty for nothing."""
    event = recorded.event
    if isinstance(event, ModelVersionArchived):
        return "state"
    if isinstance(event, ModelVersionUpdated):
        return ", ".join(sorted(set(EVALUATED) & set(event.update_mask.paths)))
    return ""


def _intent(name: str, what: str, now: datetime) -> Intent:
    """Return the circumstances of a command that the clock gives."""
    request_id = str(uuid5(NAMESPACE_URL, f"{name} {what} {now.isoformat()}"))
    return Intent(actor=service_actor(SERVICE), request_id=request_id, request_digest=b"", time=now)
