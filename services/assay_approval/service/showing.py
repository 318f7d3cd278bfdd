"""Approvals as they are shown: their events, and those of the people in them, counted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from assay.approval.v1.resources_pb2 import Approval
from assay_approval import queries
from assay_approval.domain import counting
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Command
from assay_approval.domain.known import Principal
from assay_approval.domain.people import Roster
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.service.histories import Step, history, last
from assay_approval.service.parts import Parts
from assay_approval.service.telling import close_revision, principals_of, to_approval
from assay_events.commands import Intent
from assay_events.envelope import Stored
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
        return to_approval(steps, await self._roster(principals_of(steps)))

    async def _shown(self, at: Snapshot, names: Sequence[str]) -> list[Approval]:
        """Return approvals as the read model has them, in the order asked for."""
        steps = {name: each for name, each in (await self._steps(at, names)).items() if each}
        people = {who for each in steps.values() for who in principals_of(each)}
        events = await self._people_events(at, people)
        return [
            to_approval(steps[name], self._roster_at(events, close_revision(steps[name])))
            for name in names
            if name in steps
        ]

    async def _steps(self, at: Snapshot, names: Sequence[str]) -> Mapping[str, _Steps]:
        """Return the past of each approval, up to the snapshot."""
        found = await queries.events(at, [APPROVAL.subject(name) for name in names])
        return {
            name: history(APPROVAL, found[APPROVAL.subject(name)], self._deployment)
            for name in names
        }

    async def _people_events(
        self, at: Snapshot, people: set[str]
    ) -> Mapping[str, Sequence[Stored]]:
        """Return the events of people, and of the other accounts that they are linked with."""
        found, waiting = dict[str, Sequence[Stored]](), people
        while waiting:
            subjects = {name: PRINCIPAL.subject(name) for name in waiting}
            events = await queries.events(at, list(subjects.values()))
            found |= {name: events[subject] for name, subject in subjects.items()}
            links = (self._principal(found[name], 0).links for name in waiting)
            waiting = {link for each in links for link in each} - found.keys()
        return found

    def _roster_at(self, events: Mapping[str, Sequence[Stored]], revision: int) -> Roster:
        """Return the people as they were at a revision, now where it is 0."""
        known = {name: self._principal(stored, revision) for name, stored in events.items()}
        return Roster(datetime.now(UTC), known)

    def _principal(self, stored: Sequence[Stored], revision: int) -> Principal:
        return last(history(PRINCIPAL, stored, self._deployment, revision), PRINCIPAL)
