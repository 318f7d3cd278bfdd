"""What the handlers work with, and who calls them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceServicer
from assay.approval.v1.resources_pb2 import PasskeyData
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.domain.policies import POLICIES, Policies
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.roles import Held
from assay_approval.domain.signing import Signer
from assay_approval.ports import Surroundings
from assay_approval.service.histories import Step, history, last
from assay_approval.service.people import Roster, admits
from assay_events import token
from assay_events.commands import Commands
from assay_events.decider import Decider, Event, Forbidden, Invalid, State
from assay_events.envelope import Stored
from assay_events.store import EventStore
from assay_serve.call import Context, actor
from assay_serve.directory import OPEN
from assay_serve.postgres import Reads
from assay_serve.rights import Rights
from assay_serve.settings import Settings


class Parts(ApprovalServiceServicer):
    """Where commands go, where answers come from, and whose deployment this is."""

    def __init__(
        self,
        commands: Commands,
        store: EventStore,
        reads: Reads,
        surroundings: Surroundings,
        rights: Rights,
        settings: Settings,
    ) -> None:
        """Take the deployment and its owner from `settings`."""
        self._commands = commands
        self._store = store
        self._reads = reads
        self._surroundings = surroundings
        self._rights = rights
        self._deployment = settings.deployment
        self._owner = f"principals/{settings.owner}"
        self._passkey_origin = settings.passkey_origin

    async def _is_founding(self) -> bool:
        """Return whether no policy was ever published in the default namespace."""
        await self._level()
        return not self._rights.directory.founding_end

    async def _freshest(self) -> str:
        """Return the token of the stream's end: a read with it sees all that was written before."""
        return token.encode(await self._store.last_revision())

    async def _now(self) -> datetime:
        """Return the time by which things end: a clock that was set back gives nobody more."""
        return max(datetime.now(UTC), self._rights.directory.stream_time)

    async def _level(self) -> None:
        """Return once the directory knows all that is written now."""
        await self._rights.reach(await self._store.last_revision())

    async def _roster(self) -> Roster:
        """Return who may sign now, fresh."""
        await self._level()
        return Roster(self._rights.directory, await self._now())

    async def _others(self, principal: str) -> tuple[Held, ...]:
        """Return the roles of the other accounts of a principal's person, fresh."""
        found = await self._roles_of_person(principal)
        return tuple(held for held in found if not held.name.startswith(f"{principal}/"))

    async def _roles_of(self, principal: str) -> tuple[Held, ...]:
        """Return the roles that a principal has now, lent ones too, fresh."""
        await self._level()
        return self._held([principal], await self._now())

    async def _roles_of_person(self, principal: str) -> tuple[Held, ...]:
        """Return the roles of all accounts of a principal's person, fresh."""
        await self._level()
        accounts = sorted(self._rights.directory.accounts(principal))
        return self._held(accounts, await self._now())

    def _held(self, accounts: Iterable[str], now: datetime) -> tuple[Held, ...]:
        return tuple(
            Held(each.name, each.role, each.scope, each.delegator, each.expires)
            for account in accounts
            for each in self._rights.directory.roles(account, now)
        )

    async def _signer(self, context: Context) -> Signer:
        """Return the caller with its keys, fresh."""
        name = caller(context)
        await self._level()
        directory = self._rights.directory
        return Signer(
            name=name,
            accounts=directory.accounts(name),
            kind=actor(context).kind,
            is_owner=self._owner in directory.accounts(name),
            printed_name=(await self._commands.fold(PRINCIPAL, name)).state.printed_name,
            keys={
                key: life.public_key
                for key, life in directory.keys.items()
                if life.principal == name and life.to_revision == OPEN
            },
        )

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
        if stored:
            await self._rights.reach(stored[-1].revision)
        return self._told_of(decider, stored, up_to)

    def _told_of(
        self, decider: Decider[Any, State, Event], stored: Sequence[Stored], up_to: int = 0
    ) -> list[Step[State]]:
        """Return the valid events, less those that no key stands for."""
        admitted = partial(admits, self._rights.directory)
        return history(decider, stored, self._deployment, up_to, admitted)

    async def _policies_of(self, namespace: str) -> tuple[Policies, int]:
        """Return what governs in a namespace, fresh, and the revision of its last policy."""
        steps = await self._history(POLICIES, namespace)
        return last(steps, POLICIES), steps[-1].recorded.revision if steps else 0


def caller(context: Context) -> str:
    """Return the principal that calls; Assay's own services are none."""
    name = actor(context).principal
    if not name.startswith("principals/"):
        words = "Call this as a person or a workload, not as a service."
        raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
    return name
