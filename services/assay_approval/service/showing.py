"""Approvals as they are shown: their events, and those of the people in them, counted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from assay.approval.v1.resources_pb2 import Approval
from assay_approval import queries
from assay_approval.domain import counting
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Command
from assay_approval.service.histories import Step, last
from assay_approval.service.parts import Parts
from assay_approval.service.people import NOW, Roster
from assay_approval.service.telling import to_approval
from assay_events.commands import Intent
from assay_serve.postgres import Snapshot

_Steps = Sequence[Step[counting.Approval]]


class Changed(TypedDict):
    """What the rpcs that change an approval answer."""

    approval: Approval
    consistency_token: str


class Showing(Parts):
    """How an approval is told, from the stream after a command, from the read model to a reader."""

    async def _changed(self, name: str, command: Command, circumstances: Intent) -> Changed:
        """Handle a command, and return what the rpc answers."""
        done = await self._commands.handle(APPROVAL, name, command, circumstances)
        return {
            "approval": await self._told(name, done.revision),
            "consistency_token": done.token,
        }

    async def _told(self, name: str, revision: int) -> Approval:
        """Return an approval as it was at a revision, fresh."""
        steps = await self._history(APPROVAL, name, revision)
        return to_approval(steps, self._roster_of(steps, revision))

    async def _shown(self, at: Snapshot, names: Sequence[str]) -> list[Approval]:
        """Return approvals as the read model has them, in the order asked for."""
        found = await self._steps(at, names)
        return [
            to_approval(found[name], self._roster_of(found[name], at.revision))
            for name in names
            if found[name]
        ]

    async def _steps(self, at: Snapshot, names: Sequence[str]) -> Mapping[str, _Steps]:
        """Return the past of each approval, up to the snapshot."""
        subjects = {name: APPROVAL.subject(name) for name in names}
        found = await queries.events(at, list(subjects.values()))
        await self._rights.reach(at.revision)
        told = {name: self._told_of(APPROVAL, found[subject]) for name, subject in subjects.items()}
        return {name: steps if last(steps, APPROVAL).name else [] for name, steps in told.items()}

    def _roster_of(self, steps: _Steps, revision: int = NOW) -> Roster:
        """Return the people as they were when it was decided, at a revision while it is open."""
        closed = (s.recorded for s in steps if s.before.is_open and not s.state.is_open)
        decided = next(closed, None)
        if decided is None:
            return Roster(self._rights.directory, datetime.now(UTC), revision)
        return Roster(self._rights.directory, decided.time, decided.revision)
