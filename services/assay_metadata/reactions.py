"""What metadata does when an approval is granted, or its grant ends: a version moves in, or out."""

from dataclasses import dataclass, replace

import structlog

from assay.approval.v1.approval_service_pb2 import CheckGrantResponse
from assay.approval.v1.events_pb2 import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalResumed,
    ApprovalRevoked,
    ApprovalSuspended,
    ApprovalVoided,
)
from assay.approval.v1.resources_pb2 import ApprovalState, OnEnd
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import StageGraph
from assay.names import AliasName, MalformedName, StageName, VersionName, target
from assay_events.commands import Commands
from assay_events.decider import Aborted, Forbidden
from assay_events.envelope import Recorded, context_of
from assay_events.errors import Unavailable
from assay_events.reactions import Reaction
from assay_metadata import ports
from assay_metadata.domain.commands import Command, EndGrant, MoveByGrant
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE
from assay_metadata.domain.state import Model
from assay_serve.call import reaction_intent
from assay_serve.peers import PeerChannels

SERVICE = "services/metadata"
MOVE_BY_GRANT = "move-by-grant"
END_GRANT = "end-grant"
_ENDS = (ApprovalRevoked, ApprovalSuspended, ApprovalExpired, ApprovalVoided)

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def reactions(commands: Commands, peers: PeerChannels) -> list[Reaction]:
    """Return the reactions of metadata."""
    grants = Grants(commands, peers)
    return [
        Reaction(MOVE_BY_GRANT, (ApprovalGranted, ApprovalResumed), grants.move),
        Reaction(END_GRANT, _ENDS, grants.end),
    ]


@dataclass(frozen=True, slots=True)
class Grants:
    """Acts on grants and their ends; the approval service has the last word on each grant."""

    commands: Commands
    peers: PeerChannels

    async def move(self, recorded: Recorded) -> None:
        """Let the version of a grant in, or note why not."""
        event = recorded.event
        if not isinstance(event, ApprovalGranted | ApprovalResumed):
            return
        if not _is_from_approval(recorded):
            return
        found = _parsed(event.target, event.version, recorded)
        if found is None or await self._is_done(found[0], recorded, MOVE_BY_GRANT):
            return
        name, version = found
        grant = await self._grant(name, version, event.manifest_digest, event.name)
        graph = await self._namespace_graph(name)
        command = replace(_move(event, name, version, grant), namespace_graph=graph)
        await self._handle(name, command, recorded, MOVE_BY_GRANT)

    async def end(self, recorded: Recorded) -> None:
        """Note the end of a grant, and take the version out where it holds by it."""
        event = recorded.event
        if not isinstance(event, _ENDS) or not _is_from_approval(recorded):
            return
        if isinstance(event, ApprovalExpired | ApprovalVoided) and not _was_in_force(event):
            return
        found = _parsed(event.target, event.version, recorded)
        if found is None or await self._is_done(found[0], recorded, END_GRANT):
            return
        name, version = found
        command = EndGrant(str(name.parent), str(name), version.number, event.name)
        if event.on_end == OnEnd.ON_END_PREVIOUS:
            command = await self._with_successor(name, command)
        await self._handle(name, command, recorded, END_GRANT)

    async def _with_successor(self, name: AliasName | StageName, command: EndGrant) -> EndGrant:
        """Return the command with the last holder before whose grant still lives, if any does."""
        state = await self._model(name)
        earlier = [h for held in reversed(state.earlier.get(str(name), ())) for h in held]
        for number in dict.fromkeys(holder.number for holder in earlier):
            if number == command.number or number not in state.versions:
                continue
            digest = state.versions[number].manifest_digest
            grant = await self._grant(name, name.parent.version(number), digest)
            if grant.approval:
                return replace(command, successor=number, successor_approval=grant.approval)
        return command

    async def _grant(
        self, name: AliasName | StageName, version: VersionName, digest: str, approval: str = ""
    ) -> CheckGrantResponse:
        """Return which grant lets the version in; none where another name of it is governed."""
        state = await self._model(name)
        try:
            return await ports.check_grant(self.peers, name, version, digest, state, approval)
        except Forbidden:
            return CheckGrantResponse(is_governed=True)

    async def _model(self, name: AliasName | StageName) -> Model:
        return (await self.commands.fold(MODEL, str(name.parent))).state

    async def _namespace_graph(self, name: AliasName | StageName) -> StageGraph:
        """Return the stage graph of a target's namespace, fresh; an alias has none to follow."""
        if isinstance(name, AliasName):
            return StageGraph()
        return (await self.commands.fold(NAMESPACE, str(name.parent.parent))).state.graph

    async def _is_done(
        self, name: AliasName | StageName, recorded: Recorded, reaction: str
    ) -> bool:
        request_id = reaction_intent(recorded, reaction, SERVICE).request_id
        return await self.commands.is_recorded(MODEL, str(name.parent), request_id)

    async def _handle(
        self,
        name: AliasName | StageName,
        command: Command,
        recorded: Recorded,
        reaction: str,
    ) -> None:
        intent = reaction_intent(recorded, reaction, SERVICE)
        try:
            await self.commands.handle(MODEL, str(name.parent), command, intent)
        except Aborted as race:  # others keep writing to the model: the reactor tries again
            raise Unavailable(race.message) from race


def _was_in_force(event: ApprovalExpired | ApprovalVoided) -> bool:
    """Return whether an approval let its version in before it ended."""
    return event.previous_state in {
        ApprovalState.APPROVAL_STATE_GRANTED,
        ApprovalState.APPROVAL_STATE_SUSPENDED,
    }


def _move(
    event: ApprovalGranted | ApprovalResumed,
    name: AliasName | StageName,
    version: VersionName,
    grant: CheckGrantResponse,
) -> MoveByGrant:
    is_live = grant.approval == event.name
    return MoveByGrant(
        str(name.parent),
        str(name),
        version.number,
        event.name,
        event.manifest_digest,
        Reason.REASON_UNSPECIFIED if is_live else Reason.REASON_NOT_GRANTED,
        "" if is_live else f"Ask for a new approval: {event.name} no longer grants the move.",
        is_resumed=isinstance(event, ApprovalResumed),
    )


def _is_from_approval(recorded: Recorded) -> bool:
    """Return whether the approval service wrote it: the broker lets nobody else write there."""
    return context_of(recorded.nats_subject) == "approval"


def _parsed(
    name: str, version: str, recorded: Recorded
) -> tuple[AliasName | StageName, VersionName] | None:
    """Return the target and the version that an event names, None where they do not fit."""
    try:
        found = target(name), VersionName.parse(version)
    except MalformedName:
        found = None
    if found is None or found[0].parent != found[1].parent:
        log.error("reaction.malformed", revision=recorded.revision, target=name, version=version)
        return None
    return found
