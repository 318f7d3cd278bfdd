"""What the handlers work with, and who calls them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceServicer
from assay.approval.v1.events_pb2 import PolicyPublished
from assay.approval.v1.resources_pb2 import PasskeyData
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.domain.known import Principal
from assay_approval.domain.people import Roster
from assay_approval.domain.policies import POLICIES
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.signing import Signer
from assay_approval.ports import Surroundings
from assay_approval.service.histories import Step, history
from assay_events import token
from assay_events.commands import Commands
from assay_events.decider import Decider, Event, Forbidden, Invalid, State
from assay_events.store import EventStore
from assay_serve.call import Context, actor
from assay_serve.postgres import Reads
from assay_serve.settings import Settings

FOUNDING_NAMESPACE = "namespaces/default"
_MOST_ACCOUNTS = 64


class Parts(ApprovalServiceServicer):
    """Where commands go, where answers come from, and whose deployment this is."""

    def __init__(
        self,
        commands: Commands,
        store: EventStore,
        reads: Reads,
        surroundings: Surroundings,
        settings: Settings,
    ) -> None:
        """Take the deployment and its owner from `settings`."""
        self._commands = commands
        self._store = store
        self._reads = reads
        self._surroundings = surroundings
        self._deployment = settings.deployment
        self._owner = f"principals/{settings.owner}"
        self._passkey_origin = settings.passkey_origin
        self._founded_until = 0

    async def _founding_end(self) -> int:
        """Return the revision of the first policy of the default namespace, 0 before there is one.

        What claims to belong to the founding must be older.
        """
        if not self._founded_until:
            steps = await self._history(POLICIES, FOUNDING_NAMESPACE)
            published = (s for s in steps if isinstance(s.recorded.event, PolicyPublished))
            first = next((step for step in published if step.counts), None)
            self._founded_until = first.recorded.revision if first else 0
        return self._founded_until

    async def _is_founding(self) -> bool:
        """Return whether no policy was ever published in the default namespace."""
        return not await self._founding_end()

    async def _freshest(self) -> str:
        """Return the token of the stream's end: a read with it sees all that was written before."""
        return token.encode(await self._store.last_revision())

    async def _now(self) -> datetime:
        """Return the time by which things end: no earlier than what the policies' log has seen."""
        return datetime.now(UTC)

    async def _signer(self, context: Context) -> Signer:
        """Return the caller with its keys, fresh."""
        name = caller(context)
        roster = await self._roster([name])
        state = roster.known[name]
        return Signer(
            name=name,
            person=roster.person(name),
            kind=actor(context).kind,
            is_owner=self._owner in roster.accounts(name),
            printed_name=state.printed_name,
            keys=state.signing_keys,
        )

    async def _roster(self, principals: Iterable[str]) -> Roster:
        """Return these principals, and the other accounts of the same people, fresh."""
        known, waiting = dict[str, Principal](), [each for each in principals if each]
        while waiting and len(known) < _MOST_ACCOUNTS:
            name = waiting.pop()
            if name not in known:
                known[name] = (await self._commands.fold(PRINCIPAL, name)).state
                waiting.extend(known[name].links)
        return Roster(await self._now(), known)

    def _own_passkey(self, passkey: PasskeyData) -> PasskeyData:
        """Return what a passkey added, unless another page than this deployment's asked for it."""
        if not passkey.ListFields():
            return passkey
        host = urlsplit(self._passkey_origin).hostname or ""
        if not host or (passkey.origin, passkey.rp_id) != (self._passkey_origin, host):
            words = "Sign with a passkey at this deployment's own page, or with a key file."
            raise Invalid(Reason.REASON_BAD_SIGNATURE, words, field="passkey.origin")
        return passkey

    async def _history(
        self, decider: Decider[Any, State, Event], name: str, up_to: int = 0
    ) -> Sequence[Step[State]]:
        """Return the valid events of an aggregate, fresh, up to a revision where one is given."""
        stored = await self._store.read_subject(decider.subject(name))
        return history(decider, stored, self._deployment, up_to)


def caller(context: Context) -> str:
    """Return the principal that calls; Assay's own services are none."""
    name = actor(context).principal
    if not name.startswith("principals/"):
        words = "Call this as a person or a workload, not as a service."
        raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
    return name
