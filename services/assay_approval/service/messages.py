"""Resources as answers show them: told from the events of their aggregate."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.approval.v1.events_pb2 import (
    KeyEnrolled,
    KeyProposed,
    KeyRevoked,
    PolicyProposed,
    PolicyPublished,
    PrincipalCreated,
    RoleGranted,
    RoleProposed,
)
from assay.approval.v1.resources_pb2 import Key, Policy, Principal, Role, Standing
from assay_approval.domain import known, policies
from assay_approval.service.histories import Step

_ACTIVE, _PROPOSED, _ENDED = (
    Standing.STANDING_ACTIVE,
    Standing.STANDING_PROPOSED,
    Standing.STANDING_ENDED,
)


def to_principal(steps: Sequence[Step[known.Principal]]) -> Principal:
    """Return a principal with its keys."""
    message, keys = Principal(), dict[str, Key]()
    for step in steps:
        event, recorded = step.recorded.event, step.recorded
        if not step.counts:
            continue
        match event:
            case PrincipalCreated():
                message.name, message.kind = event.name, event.kind
                message.etag = f'"{recorded.revision}"'
                message.create_time.CopyFrom(to_timestamp(recorded.time))
                message.printed_name = event.printed_name.clear
                message.login = event.login.clear
            case KeyProposed() | KeyEnrolled():
                keys[event.name] = _key(event, recorded.time)
            case KeyRevoked() if event.name in keys:
                keys[event.name].standing = _ENDED
                keys[event.name].revoke_time.CopyFrom(to_timestamp(recorded.time))
    message.keys.extend(keys.values())
    return message


def to_role(steps: Sequence[Step[known.Principal]], name: str) -> Role:
    """Return a role of a principal as it is after the last step."""
    message = Role(name=name)
    for step in steps:
        event, time = step.recorded.event, to_timestamp(step.recorded.time)
        if step.recorded.name != name or not step.counts:
            continue
        message.etag = f'"{step.recorded.revision}"'
        if isinstance(event, RoleProposed | RoleGranted):
            message.role, message.scope, message.giver = event.role, event.scope, event.giver
            message.create_time.CopyFrom(time)
            message.standing = _PROPOSED
            message.ClearField("remove_time")
        if isinstance(event, RoleGranted):
            message.standing = _ACTIVE
            message.endorser, message.delegator = event.endorsement.signer, event.delegator
            if event.HasField("expire_time"):
                message.expire_time.CopyFrom(event.expire_time)
        if not isinstance(event, RoleProposed | RoleGranted):
            message.standing = _ENDED
            message.remove_time.CopyFrom(time)
    return message


def to_policies(steps: Sequence[Step[policies.Policies]]) -> Mapping[str, Policy]:
    """Return each policy of a namespace at its newest version, by name."""
    found = dict[str, Policy]()
    for step in steps:
        event, recorded = step.recorded.event, step.recorded
        if not step.counts:
            continue
        match event:
            case PolicyPublished():
                name = event.name.rpartition("/versions/")[0]
                found[name] = Policy(
                    name=name,
                    etag=f'"{recorded.revision}"',
                    create_time=to_timestamp(recorded.time),
                    number=event.number,
                    spec=event.spec,
                    digest=event.digest,
                    proposer=event.proposer,
                    endorser=event.endorsement.signer,
                )
            case PolicyProposed():
                name = event.name.rpartition("/versions/")[0]
                policy = found.setdefault(name, Policy(name=name))
                policy.proposed_number = event.number
                policy.proposed_spec.CopyFrom(event.spec)
    return found


def to_timestamp(time: datetime) -> Timestamp:
    """Return a time as protobuf has it."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _key(event: KeyProposed | KeyEnrolled, time: datetime) -> Key:
    is_enrolled = isinstance(event, KeyEnrolled)
    return Key(
        name=event.name,
        public_key=event.public_key,
        kind=event.kind,
        create_time=to_timestamp(time),
        standing=_ACTIVE if is_enrolled else _PROPOSED,
        endorser=event.endorsement.signer if isinstance(event, KeyEnrolled) else "",
    )
