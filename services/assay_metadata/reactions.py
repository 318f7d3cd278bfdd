"""What metadata does when an approval is granted or revoked: a version moves in, or out."""

from dataclasses import dataclass, replace

import structlog

from assay.approval.v1.approval_service_pb2 import CheckGrantResponse
from assay.approval.v1.events_pb2 import ApprovalGranted, ApprovalRevoked
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import StageGraph
from assay.names import AliasName, MalformedName, StageName, VersionName, target
from assay_events.commands import Commands
from assay_events.decider import Aborted
from assay_events.envelope import Recorded, context_of
from assay_events.errors import Unavailable
from assay_events.reactions import Reaction
from assay_metadata import ports
from assay_metadata.domain.commands import Command, EndGrant, MoveByGrant
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE
from assay_serve.call import reaction_intent
from assay_serve.peers import PeerChannels

SERVICE = "services/metadata"
MOVE_BY_GRANT = "move-by-grant"
END_GRANT = "end-grant"

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def reactions(commands: Commands, peers: PeerChannels) -> list[Reaction]:
    """Return the reactions of metadata."""
    grants = Grants(commands, peers)
    return [
        Reaction(MOVE_BY_GRANT, (ApprovalGranted,), grants.move),
        Reaction(END_GRANT, (ApprovalRevoked,), grants.end),
    ]


@dataclass(frozen=True, slots=True)
class Grants:
    """Acts on grants and their ends; the approval service has the last word on each grant."""

    commands: Commands
    peers: PeerChannels

    async def move(self, recorded: Recorded) -> None:
        """Let the version of a grant in, or note why not."""
        event = recorded.event
        if not isinstance(event, ApprovalGranted) or not _is_from_approval(recorded):
            return
        found = _parsed(event.target, event.version, recorded)
        if found is None or await self._is_done(found[0], recorded, MOVE_BY_GRANT):
            return
        name, version = found
        grant = await ports.check_grant(
            self.peers, name, version, event.manifest_digest, event.name
        )
        graph = await self._namespace_graph(name)
        command = replace(_move(event, name, version, grant), namespace_graph=graph)
        await self._handle(name, command, recorded, MOVE_BY_GRANT)

    async def end(self, recorded: Recorded) -> None:
        """Note the end of a grant, and take the version out where it holds by it."""
        event = recorded.event
        if not isinstance(event, ApprovalRevoked) or not _is_from_approval(recorded):
            return
        found = _parsed(event.target, event.version, recorded)
        if found is None or await self._is_done(found[0], recorded, END_GRANT):
            return
        name, version = found
        command = EndGrant(str(name.parent), str(name), version.number, event.name)
        await self._handle(name, command, recorded, END_GRANT)

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


def _move(
    event: ApprovalGranted,
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
