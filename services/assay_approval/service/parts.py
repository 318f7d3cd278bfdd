"""What the handlers work with, and who calls them."""

from dataclasses import dataclass
from typing import Any, Generic

from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceServicer
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.domain.policies import POLICIES
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.signing import Signer
from assay_approval.ports import Versions
from assay_events import token
from assay_events.commands import Commands
from assay_events.decider import Decider, Event, Forbidden, State
from assay_events.envelope import Recorded
from assay_events.fold import Folded, take
from assay_events.store import EventStore
from assay_serve.call import Context, actor
from assay_serve.postgres import Reads
from assay_serve.settings import Settings

FOUNDING_NAMESPACE = "namespaces/default"


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """One event of an aggregate, and its state just before and after."""

    recorded: Recorded
    before: State
    state: State


class Parts(ApprovalServiceServicer):
    """Where commands go, where answers come from, and whose deployment this is."""

    def __init__(
        self,
        commands: Commands,
        store: EventStore,
        reads: Reads,
        versions: Versions,
        settings: Settings,
    ) -> None:
        """Take the deployment and its owner from `settings`."""
        self._commands = commands
        self._store = store
        self._reads = reads
        self._versions = versions
        self._deployment = settings.deployment
        self._owner = f"principals/{settings.owner}"

    async def _is_founding(self) -> bool:
        """Return whether no policy was ever published in the default namespace."""
        folded = await self._commands.fold(POLICIES, FOUNDING_NAMESPACE)
        return not folded.state.newest

    async def _freshest(self) -> str:
        """Return the token of the stream's end: a read with it sees all that was written before."""
        return token.encode(await self._store.last_revision())

    async def _signer(self, context: Context) -> Signer:
        """Return the caller with its keys, fresh."""
        name = caller(context)
        folded = await self._commands.fold(PRINCIPAL, name)
        return Signer(
            name=name,
            kind=actor(context).kind,
            is_owner=name == self._owner,
            printed_name=folded.state.printed_name,
            keys=folded.state.signing_keys,
        )

    async def _history(
        self, decider: Decider[Any, State, Event], name: str, up_to: int = 0
    ) -> list[Step[State]]:
        """Return the valid events of an aggregate, fresh, up to a revision where one is given."""
        found = await history(self._store, self._deployment, decider, name)
        return [step for step in found if not up_to or step.recorded.revision <= up_to]


async def history(
    store: EventStore, deployment: str, decider: Decider[Any, State, Event], name: str
) -> list[Step[State]]:
    """Return the valid events of an aggregate, fresh, with the state before and after each."""
    folded, steps = Folded(decider.initial), list[Step[State]]()
    for stored in await store.read_subject(decider.subject(name)):
        before = folded.state
        recorded = take(folded, decider, stored, deployment)
        if recorded is not None:
            steps.append(Step(recorded, before, folded.state))
    return steps


def caller(context: Context) -> str:
    """Return the principal that calls; Assay's own services are none."""
    name = actor(context).principal
    if not name.startswith("principals/"):
        words = "Call this as a person or a workload, not as a service."
        raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
    return name
