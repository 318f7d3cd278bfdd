"""What the rules remember of a principal: its keys, roles and accounts, from each event."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar, assert_never

from assay.approval.v1.events_pb2 import (
    KeyEnrolled,
    KeyProposed,
    KeyRevoked,
    PrincipalCreated,
    PrincipalLinked,
    RoleGranted,
    RoleProposed,
    RoleRemoved,
)
from assay.endorsements import is_endorsed, is_in_force, is_proven
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain import roles
from assay_approval.domain.roles import Held

_T = TypeVar("_T")

Event: TypeAlias = (
    PrincipalCreated
    | KeyProposed
    | KeyEnrolled
    | KeyRevoked
    | RoleProposed
    | RoleGranted
    | RoleRemoved
    | PrincipalLinked
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was enrolled once; a revoked one stays known, so that it never comes back."""

    public_key: bytes
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """What the rules remember of a principal; `keys` are by resource name, oldest first."""

    name: str = ""
    kind: ActorKind.ValueType = ActorKind.ACTOR_KIND_UNSPECIFIED
    printed_name: str = ""
    login: str = ""
    keys: Mapping[str, Key] = field(default_factory=dict)
    proposed_keys: Mapping[str, KeyProposed] = field(default_factory=dict)
    roles: Mapping[str, Held] = field(default_factory=dict)
    proposed_roles: Mapping[str, RoleProposed] = field(default_factory=dict)
    links: frozenset[str] = frozenset()

    @property
    def signing_keys(self) -> dict[str, bytes]:
        """The keys that may sign now, by resource name."""
        return {name: key.public_key for name, key in self.keys.items() if not key.is_revoked}


def evolve(state: Principal, event: Event) -> Principal:
    """Return the state after `event`; what breaks a rule leaves it as it was."""
    match event:
        case PrincipalCreated():
            return state if state.name else _created(event)
        case KeyProposed():
            return _key_proposed(state, event)
        case KeyEnrolled():
            return _enrolled(state, event)
        case KeyRevoked():
            return _revoked(state, event)
        case RoleProposed():
            return _role_proposed(state, event)
        case RoleGranted():
            return _granted(state, event)
        case RoleRemoved():
            return _removed(state, event)
        case PrincipalLinked():
            return replace(state, links=state.links | {event.other}) if state.name else state
    assert_never(event)


def _created(event: PrincipalCreated) -> Principal:
    return Principal(event.name, event.kind, event.printed_name.clear, event.login.clear)


def _key_proposed(state: Principal, event: KeyProposed) -> Principal:
    if not _may_have_key(state, event) or event.name in state.keys:
        return state
    return replace(state, proposed_keys={**state.proposed_keys, event.name: event})


def _enrolled(state: Principal, event: KeyEnrolled) -> Principal:
    if not _may_have_key(state, event) or event.name in state.keys:
        return state
    if not event.founding and not is_endorsed(event):
        return state
    return replace(
        state,
        keys={**state.keys, event.name: Key(event.public_key)},
        proposed_keys=_less(state.proposed_keys, event.name),
    )


def _may_have_key(state: Principal, event: KeyEnrolled | KeyProposed) -> bool:
    mine = event.name.startswith(f"{state.name}/keys/")
    return mine and state.kind == ActorKind.ACTOR_KIND_HUMAN and is_proven(event)


def _revoked(state: Principal, event: KeyRevoked) -> Principal:
    key = state.keys.get(event.name)
    proposed = _less(state.proposed_keys, event.name)
    if key is None:
        return replace(state, proposed_keys=proposed)
    revoked = {**state.keys, event.name: replace(key, is_revoked=True)}
    return replace(state, keys=revoked, proposed_keys=proposed)


def _role_proposed(state: Principal, event: RoleProposed) -> Principal:
    if not _is_mine(state, event):
        return state
    return replace(state, proposed_roles={**state.proposed_roles, event.name: event})


def _granted(state: Principal, event: RoleGranted) -> Principal:
    if not _is_mine(state, event) or not is_in_force(event):
        return state
    return replace(
        state,
        roles={**state.roles, event.name: roles.held(event)},
        proposed_roles=_less(state.proposed_roles, event.name),
    )


def _is_mine(state: Principal, event: RoleGranted | RoleProposed) -> bool:
    return event.name.startswith(f"{state.name}/roles/") and roles.is_named_right(event)


def _removed(state: Principal, event: RoleRemoved) -> Principal:
    return replace(
        state,
        roles=_less(state.roles, event.name),
        proposed_roles=_less(state.proposed_roles, event.name),
    )


def _less(known: Mapping[str, _T], name: str) -> dict[str, _T]:
    return {key: value for key, value in known.items() if key != name}
