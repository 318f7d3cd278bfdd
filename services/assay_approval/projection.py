"""Which rows each event means.

A row says no more than its event shows by itself; the views of schema.sql put rows together.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import TypeAlias

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
    KeyClaimed,
    KeyEnrolled,
    KeyRevoked,
    PolicyPublished,
    PrincipalCreated,
)
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.signatures import (
    SignatureEvent,
    asked,
    bound_reason,
    covered,
    is_proven,
    is_sealed,
    meaning,
    sign_time,
)
from assay_events.decider import subject
from assay_events.envelope import Recorded
from assay_events.projection import Add, Projection, Write

Row: TypeAlias = dict[str, object]


def admit(recorded: Recorded) -> str:
    """Return what is wrong with an event by itself, empty for nothing."""
    event = recorded.event
    match event:
        case ApprovalRequested():
            holds = bool(asked(event))
        case ApprovalSigned() | ApprovalRejected():
            holds = bool(covered(event))
        case KeyEnrolled():
            holds = is_proven(event)
        case PolicyPublished():
            holds = is_sealed(event.spec, event.digest)
            holds &= event.name.endswith(f"/versions/{event.number}")
        case _:
            holds = True
    if not holds:
        return "its signature or digest does not hold."
    if recorded.nats_subject != _subject(recorded):
        return "it lies on the subject of something else."
    return ""


def apply(recorded: Recorded) -> Iterator[Write]:
    """Yield what `recorded` means for the tables."""
    event = recorded.event
    match event:
        case PrincipalCreated():
            yield _add("principal_created", _principal(event, recorded), recorded)
        case KeyEnrolled():
            yield _add("key_enrolled", _key(event, recorded), recorded)
        case KeyRevoked():
            row: Row = {"name": event.name, "revoke_time": recorded.time}
            yield _add("key_revoked", row, recorded)
        case KeyClaimed():
            pass  # the rules read it, people read the enrolment
        case PolicyPublished():
            yield _add("policy_published", _policy(event, recorded), recorded)
        case ApprovalRequested():
            yield _add("approval_requested", _request(event, recorded), recorded)
        case ApprovalSigned() | ApprovalRejected():
            yield _add("signature", _signature(event, recorded), recorded)
        case ApprovalGranted():
            yield _add("approval_granted", _grant(event, recorded), recorded)
        case ApprovalRevoked():
            row = {"name": event.name, "time": recorded.time}
            yield _add("approval_revoked", row, recorded)
        case _:
            raise TypeError(f"Say what rows {recorded.envelope.type} means.")


def _add(table: str, row: Row, recorded: Recorded) -> Write:
    return Add(table, {**row, "revision": recorded.revision})


def _principal(event: PrincipalCreated, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "kind": ActorKind.Name(event.kind),
        "printed_name": event.printed_name.clear,
        "login": event.login.clear,
        "create_time": recorded.time,
    }


def _key(event: KeyEnrolled, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "principal": _above(event.name, 2),
        "public_key": event.public_key,
        "create_time": recorded.time,
    }


def _policy(event: PolicyPublished, recorded: Recorded) -> Row:
    spec = event.spec
    return {
        "policy": _above(event.name, 4),
        "namespace": _above(event.name, 2),
        "number": event.number,
        "digest": event.digest,
        "models": list(spec.models),
        "stages": list(spec.stages),
        "aliases": list(spec.aliases),
        "quorum": spec.quorum,
        "description": spec.description,
        "create_time": recorded.time,
    }


def _request(event: ApprovalRequested, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "namespace": _above(event.name, 2),
        "nats_subject": recorded.nats_subject,
        "version": event.version,
        "manifest_digest": event.manifest_digest,
        "target": event.target,
        "policy_names": [policy.name for policy in event.policies],
        "policy_digests": [policy.digest for policy in event.policies],
        "quorum": event.quorum,
        "submitter": event.submitter,
        "nonce": event.nonce,
        "covers": asked(event),
        "reason": recorded.reason,
        "create_time": recorded.time,
    }


def _signature(event: SignatureEvent, recorded: Recorded) -> Row:
    return {
        "approval": event.name,
        "covers": covered(event),
        "meaning": meaning(event).value,
        "signer": event.signer,
        "printed_name": event.printed_name.clear,
        "key": event.key,
        "public_key": event.public_key,
        "record": event.record,
        "signature": event.signature,
        "reason": bound_reason(event, recorded.envelope.reason),
        "sign_time": sign_time(event),
        "time": recorded.time,
    }


def _grant(event: ApprovalGranted, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "version": event.version,
        "manifest_digest": event.manifest_digest,
        "target": event.target,
        "time": recorded.time,
    }


def _subject(recorded: Recorded) -> str:
    """Return the subject on which the rules look for such an event."""
    match recorded.event:
        case PrincipalCreated() | KeyEnrolled() | KeyRevoked():
            return subject("approval", "principal", _above(recorded.name, 2))
        case KeyClaimed():
            return subject("approval", "key", _above(recorded.name, 2))
        case PolicyPublished():
            return subject("approval", "policies", _above(recorded.name, 2))
    return subject("approval", "approval", recorded.name)


def _above(name: str, pieces: int) -> str:
    """Return the first pieces of a resource name: the resource above it."""
    return "/".join(name.split("/")[:pieces])


APPROVAL = Projection(
    name="approval",
    schema=files("assay_approval").joinpath("schema.sql").read_text(encoding="utf-8"),
    events=(
        PrincipalCreated,
        KeyEnrolled,
        KeyRevoked,
        KeyClaimed,
        PolicyPublished,
        ApprovalRequested,
        ApprovalSigned,
        ApprovalRejected,
        ApprovalGranted,
        ApprovalRevoked,
    ),
    apply=apply,
    admit=admit,
)
