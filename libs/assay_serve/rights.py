"""What a caller may do: the rights that its roles give, where the request is about."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1 import options_pb2
from assay.type.v1.options_pb2 import Right
from assay_events.decider import Forbidden
from assay_events.errors import Unavailable
from assay_events.store import EventStore
from assay_serve.directory import Directory

EVERYWHERE = "*"
_CONTEXTS = frozenset({"approval"})
_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
_PULSE_SECONDS = 0.3
_SHARED = frozenset({"approvals", "policies"})  # of a namespace, about any of its models
_OWNER_LACKS = frozenset({Right.RIGHT_APPROVE})

RIGHTS: Mapping[str, frozenset[Right.ValueType]] = {
    "reader": frozenset({Right.RIGHT_READ}),
    "contributor": frozenset({Right.RIGHT_READ, Right.RIGHT_CONTRIBUTE}),
    "deployer": frozenset({Right.RIGHT_READ, Right.RIGHT_DEPLOY}),
    "approver": frozenset({Right.RIGHT_READ, Right.RIGHT_APPROVE}),
    "policy-admin": frozenset({Right.RIGHT_READ, Right.RIGHT_GOVERN}),
    "auditor": frozenset({Right.RIGHT_READ, Right.RIGHT_AUDIT}),
    "admin": frozenset({Right.RIGHT_READ, Right.RIGHT_ADMINISTER}),
}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a method asks of its caller: a right, where a field of the request says.

    `path` is empty where a role anywhere will do, and * where only one everywhere will.
    """

    right: Right.ValueType
    path: tuple[str, ...]

    @classmethod
    def of(cls, method: MethodDescriptor) -> "Demand":
        """Return what the options of a method demand; raise where they name no field."""
        options = method.GetOptions()
        right: Right.ValueType = options.Extensions[options_pb2.right]
        scope: str = options.Extensions[options_pb2.scope]
        path = tuple(scope.split(".")) if scope else _default_path(method.input_type)
        if path not in ((), (EVERYWHERE,)):
            _check_path(method, path)
        return cls(right, path)

    def scope(self, request: Message) -> str:
        """Return the resource that a request is about, * for everything, empty for anything."""
        if self.path in ((), (EVERYWHERE,)):
            return "".join(self.path)
        value: object = request
        for name in self.path:
            value = getattr(value, name)
        return str(value) or EVERYWHERE


class Rights:
    """The roles of all principals, followed as they change; nobody may do what none gives."""

    def __init__(self, store: EventStore, deployment: str, owner: str) -> None:
        """Follow `store`; the principal `owner` has every right but to approve."""
        self._store = store
        self._owner = owner
        self.directory = Directory(deployment)
        self._position = 0
        self._level_at = float("-inf")
        self._moved = asyncio.Condition()

    async def run(self) -> None:
        """Follow the principals for ever, from where it was where the store was away."""
        while True:
            with suppress(Unavailable):
                await self._follow()
            await asyncio.sleep(_PULSE_SECONDS)

    async def _follow(self) -> None:
        async for batch in self._store.read(self._position, follow=True, contexts=_CONTEXTS):
            for stored in batch:
                self.directory.take(stored)
            if batch:
                async with self._moved:
                    self._position = batch[-1].revision
                    self._moved.notify_all()

    async def keep_level(self) -> None:
        """Make sure again and again, for ever, that nothing was missed: so callers needn't."""
        while True:
            with suppress(Unavailable):
                await self._reach_end()
            await asyncio.sleep(_PULSE_SECONDS)

    async def authorise(
        self, principal: str, demand: Demand, request: Message, method: str
    ) -> None:
        """Refuse a caller whom no role gives the right; wait until the roles are level."""
        if demand.right == Right.RIGHT_ANYONE:
            return
        if principal == self._owner and demand.right not in _OWNER_LACKS:
            return
        await self.level()
        scope = demand.scope(request)
        if self._has(principal, demand.right, scope):
            return
        await self._reach_end()  # a role that was given just now is not to be refused
        if not self._has(principal, demand.right, scope):
            raise _forbidden(method, demand.right, scope)

    async def level(self) -> None:
        """Return once the roles are at most a second old; raise Unavailable where they are not."""
        if time.monotonic() - self._level_at > _FRESH_SECONDS:
            await self._reach_end()

    async def _reach_end(self) -> None:
        asked = time.monotonic()
        await self.reach(await self._store.last_revision())
        self._level_at = max(self._level_at, asked)

    async def reach(self, revision: int) -> None:
        """Return once all events up to a revision are taken in."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._reach(revision)
        except TimeoutError as error:
            raise Unavailable("Try again: who may do what is not known just now.") from error

    async def _reach(self, revision: int) -> None:
        while (position := self._position) < revision:
            following = await self._store.next_revision(position, _CONTEXTS)
            if not 0 < following <= revision:
                return  # nothing of concern lies in between
            async with self._moved:
                await self._moved.wait_for(partial(self._is_past, position))

    def _is_past(self, position: int) -> bool:
        return self._position > position

    def _has(self, principal: str, right: Right.ValueType, scope: str) -> bool:
        now = datetime.now(UTC)
        return any(
            right in RIGHTS.get(held.role.partition(":")[0], ()) and _covers(held.scope, scope)
            for held in self.directory.roles(principal, now)
        )


def covers(scope: str, resource: str) -> bool:
    """Return whether a role in `scope` holds at a resource."""
    return scope in (EVERYWHERE, resource) or resource.startswith(f"{scope}/")


def _covers(scope: str, resource: str) -> bool:
    """Return whether a role in `scope` lets its holder call about a resource.

    What namespaces keep for all their models is open to a role in any part; the rules look closer.
    """
    if not resource or covers(scope, resource):
        return True
    pieces = resource.split("/")
    is_shared = len(pieces) > 2 and pieces[2] in _SHARED  # noqa: PLR2004 - after namespaces/x
    return is_shared and scope.startswith(f"{pieces[0]}/{pieces[1]}/")


def _default_path(request: Descriptor) -> tuple[str, ...]:
    for name in ("parent", "name"):
        if name in request.fields_by_name:
            return (name,)
    return ()


def _check_path(method: MethodDescriptor, path: tuple[str, ...]) -> None:
    message: Descriptor | None = method.input_type
    for name in path:
        if message is None or name not in message.fields_by_name:
            raise TypeError(f"Name a field of {method.input_type.full_name} as its scope.")
        message = message.fields_by_name[name].message_type


def _forbidden(method: str, right: Right.ValueType, scope: str) -> Forbidden:
    role = next(role for role, rights in RIGHTS.items() if right in rights)
    role = "approver:<role>" if role == "approver" else role
    where = scope if scope not in ("", EVERYWHERE) else "all namespaces"
    ask = f"assay role grant <login> {role} --scope {scope or EVERYWHERE}"
    return Forbidden(
        Reason.REASON_RIGHT_REQUIRED,
        f"Ask an admin for the role {role} in {where}: {ask}",
        method=method,
        role=role,
        scope=scope,
    )
