"""The rules of a principal: known by its token, holder of keys and roles, the owner of neither."""

from collections.abc import Sequence
from typing import assert_never

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
from assay.endorsements import key_subject, role_subject
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain import enrolment, roles
from assay_approval.domain.endorsing import endorse
from assay_approval.domain.key import key_taken
from assay_approval.domain.known import Event, Principal, evolve
from assay_approval.domain.principal_commands import (
    Command,
    CreatePrincipal,
    Endorse,
    Enrol,
    GrantRole,
    LendRole,
    Link,
    RemoveRole,
    RevokeKey,
)
from assay_events.decider import Decider, Forbidden, Invalid, NotFound, Rejection


def decide(command: Command, state: Principal) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal if a rule forbids it."""
    match command:
        case CreatePrincipal():
            return _create(command, state)
        case Enrol():
            return _enrol(command, state)
        case RevokeKey():
            return _revoke(command, state)
        case GrantRole():
            return _grant(command, state)
        case LendRole():
            return _lend(command, state)
        case RemoveRole():
            return _remove(command, state)
        case Endorse():
            return _endorse(command, state)
        case Link():
            return _link(command, state)
    assert_never(command)


def _create(command: CreatePrincipal, state: Principal) -> Sequence[Event]:
    if state.name:
        return []
    created = PrincipalCreated(
        name=command.name,
        kind=command.kind,
        printed_name=command.printed_name,
        login=command.login,
        founding=command.founding,
    )
    return [created]


def _enrol(command: Enrol, state: Principal) -> Sequence[Event]:
    if command.is_owner:
        words = "Enrol keys of other people: the owner of the deployment never approves."
        raise Forbidden(Reason.REASON_OWNER_MAY_NOT_SIGN, words)
    _known(command.principal, state)
    if state.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Let a person enrol the key: a workload never signs."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    proposed = enrolment.proven(
        KeyProposed(
            public_key=command.public_key,
            kind=command.kind,
            record=command.record,
            signature=command.signature,
            passkey=command.passkey if command.passkey.ListFields() else None,
        ),
        command.principal,
        command.deployment,
        command.at,
    )
    known = state.keys.get(proposed.name)
    if known is not None:
        if known.is_revoked or known.public_key != proposed.public_key:
            raise key_taken()
        return []
    if command.founding:
        return [enrolment.enrolled(proposed, founding=True)]
    return [] if proposed.name in state.proposed_keys else [proposed]


def _revoke(command: RevokeKey, state: Principal) -> Sequence[Event]:
    if command.actor != state.name and not command.is_owner:
        words = "Ask the holder of the key, or the owner of the deployment, to revoke it."
        raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
    key = state.keys.get(command.key)
    proposed = state.proposed_keys.get(command.key)
    if key is None and proposed is None:
        raise NotFound(command.key)
    if key is None:
        return [KeyRevoked(name=command.key, public_key=proposed.public_key if proposed else b"")]
    return [] if key.is_revoked else [KeyRevoked(name=command.key, public_key=key.public_key)]


def _grant(command: GrantRole, state: Principal) -> Sequence[Event]:
    roles.check(command.role, command.scope)
    _known(command.principal, state)
    name = roles.role_name(command.principal, command.role, command.scope)
    if name in state.roles or name in state.proposed_roles:
        return []
    own = (*state.roles.values(), *command.others)
    roles.check_exclusive(command.role, command.scope, own)
    if command.role.startswith(roles.APPROVER) and state.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Give approver roles to people: a workload never signs."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    proposed = RoleProposed(name=name, role=command.role, scope=command.scope, giver=command.giver)
    return [_role(proposed, founding=True)] if command.founding else [proposed]


def _lend(command: LendRole, state: Principal) -> Sequence[Event]:
    _known(command.principal, state)
    lent = command.lender.roles.get(command.role)
    roles.check_loan(lent, command.expires, command.at)
    if lent is None:
        raise NotFound(command.role)
    if command.principal == command.lender.name or command.principal in command.lender.links:
        words = "Lend the role to another person."
        raise Invalid(Reason.REASON_MALFORMED, words, field="parent")
    if state.kind != ActorKind.ACTOR_KIND_HUMAN:
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, "Lend the role to a person.")
    own = (*state.roles.values(), *command.others)
    roles.check_exclusive(lent.role, lent.scope, own)
    lender = command.lender.name
    name = roles.role_name(command.principal, lent.role, lent.scope, lender)
    known = state.roles.get(name)
    if known is not None and not known.has_ended(command.at):
        return []
    granted = RoleGranted(
        name=name, role=lent.role, scope=lent.scope, giver=lender, delegator=lender
    )
    granted.expire_time.FromDatetime(command.expires)
    return [granted]


def _remove(command: RemoveRole, state: Principal) -> Sequence[Event]:
    held, proposed = state.roles.get(command.role), state.proposed_roles.get(command.role)
    if held is None and proposed is None:
        raise NotFound(command.role)
    mine = {state.name, held.delegator if held else "", proposed.giver if proposed else ""}
    if command.actor not in mine and not command.may_remove:
        words = "Ask an admin, or whoever has the role or lent it, to remove it."
        raise Forbidden(Reason.REASON_RIGHT_REQUIRED, words)
    role, scope = (held.role, held.scope) if held else ("", "")
    if proposed is not None and held is None:
        role, scope = proposed.role, proposed.scope
    return [RoleRemoved(name=command.role, role=role, scope=scope)]


def _endorse(command: Endorse, state: Principal) -> Sequence[Event]:
    role, key = state.proposed_roles.get(command.name), state.proposed_keys.get(command.name)
    if role is not None:
        own = (*state.roles.values(), *command.others)
        roles.check_exclusive(role.role, role.scope, own)
        granted = _role(role, founding=False)
        signed = endorse(command.endorsing, role_subject(role), [state.name, role.giver])
        granted.endorsement.CopyFrom(signed)
        return [granted]
    if key is not None:
        enrolled = enrolment.enrolled(key, founding=False)
        signed = endorse(command.endorsing, key_subject(key), [state.name])
        enrolled.endorsement.CopyFrom(signed)
        return [enrolled]
    if command.name in state.roles or command.name in state.keys:
        words = f"Leave {command.name} as it is: it waits for no endorsement."
        raise Rejection(Reason.REASON_NOT_PROPOSED, words, name=command.name)
    raise NotFound(command.name)


def _link(command: Link, state: Principal) -> Sequence[Event]:
    _known(command.principal, state)
    if command.other == command.principal:
        raise Invalid(Reason.REASON_MALFORMED, "Name another principal.", field="other")
    if command.other in state.links:
        return []
    for held in command.own:
        roles.check_exclusive(held.role, held.scope, command.others)
    return [PrincipalLinked(name=command.principal, other=command.other)]


def _known(name: str, state: Principal) -> None:
    if not state.name:
        raise NotFound(name, "Let them run `assay principal create` first.")


def _role(proposed: RoleProposed, *, founding: bool) -> RoleGranted:
    return RoleGranted(
        name=proposed.name,
        role=proposed.role,
        scope=proposed.scope,
        giver=proposed.giver,
        founding=founding,
    )


PRINCIPAL: Decider[Command, Principal, Event] = Decider(
    context="approval",
    aggregate="principal",
    initial=Principal(),
    decide=decide,
    evolve=evolve,
    events=(
        PrincipalCreated,
        KeyProposed,
        KeyEnrolled,
        KeyRevoked,
        RoleProposed,
        RoleGranted,
        RoleRemoved,
        PrincipalLinked,
    ),
)
