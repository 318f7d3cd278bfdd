"""Which rows each event means: itself, verbatim, and what it is found by."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import TypeAlias, assert_never

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from assay import times
from assay.approval.v1.events_pb2 import (
    ApprovalCommented,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalResumed,
    ApprovalRevoked,
    ApprovalSigned,
    ApprovalSuspended,
    ApprovalVoided,
    ApprovalWithdrawn,
    BreakGlassReviewed,
    EvidenceAttached,
    KeyClaimed,
    KeyEnrolled,
    KeyProposed,
    KeyRevoked,
    PolicyProposed,
    PolicyPublished,
    PrincipalCreated,
    PrincipalLinked,
    RecertificationDue,
    RoleGranted,
    RoleProposed,
    RoleRemoved,
)
from assay.endorsements import is_in_force
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.signatures import asked, covered, is_sealed
from assay_events.envelope import Recorded
from assay_events.projection import Add, Drop, Projection, Put, Write

Row: TypeAlias = dict[str, object]
_STATES: dict[type[Message], str] = {
    ApprovalRequested: "OPEN",
    ApprovalGranted: "GRANTED",
    ApprovalWithdrawn: "WITHDRAWN",
    ApprovalExpired: "EXPIRED",
    ApprovalSuspended: "SUSPENDED",
    ApprovalResumed: "GRANTED",
    ApprovalRevoked: "REVOKED",
    ApprovalVoided: "VOIDED",
}
_RUNNING = frozenset({"OPEN", "GRANTED", "SUSPENDED"})
_Granted: TypeAlias = ApprovalRequested | ApprovalGranted


def apply(recorded: Recorded) -> Iterator[Write]:
    """Yield what `recorded` means for the tables."""
    yield _event(recorded)
    event = recorded.event
    match event:
        case PrincipalCreated():
            yield _add("principal_created", _principal(event, recorded), recorded)
        case KeyProposed() | RoleProposed() | PolicyProposed():
            yield Put("proposal", _proposal(event, recorded))
        case KeyEnrolled() | KeyRevoked():
            yield Drop("proposal", {"name": event.name})
        case RoleGranted() | RoleRemoved():
            yield from _of_role(event, recorded)
        case PolicyPublished():
            yield Drop("proposal", {"name": event.name})
            if is_sealed(event.spec, event.digest):
                yield _add("policy_published", _policy(event), recorded)
        case KeyClaimed() | PrincipalLinked():
            pass  # the rules read them
        case _:
            yield from _of_approval(recorded)


def _of_role(event: RoleGranted | RoleRemoved, recorded: Recorded) -> Iterator[Write]:
    yield Drop("proposal", {"name": event.name})
    if isinstance(event, RoleRemoved):
        yield Drop("role", {"name": event.name})
    elif is_in_force(event):
        yield Put("role", _role(event, recorded))


def _of_approval(recorded: Recorded) -> Iterator[Write]:
    event = recorded.event
    match event:
        case ApprovalRequested():
            if not asked(event):
                return
            yield _add("approval_requested", _request(event, recorded), recorded)
        case ApprovalSigned() | ApprovalRejected():
            if not covered(event):
                return
            row: Row = {"approval": event.name, "signer": event.signer}
            yield _add("signature", row, recorded)
        case BreakGlassReviewed():
            yield Drop("review_due", {"approval": event.name})
        case RecertificationDue():
            yield _undo_timer(event.name, "recertify")
    yield from _of_state(recorded)


def _of_state(recorded: Recorded) -> Iterator[Write]:
    """Yield the state that an event gives an approval, and what is to be done about it when."""
    event, name = recorded.event, recorded.name
    if event is None or not times.are_sound(event):
        return
    state = _STATES.get(type(event))
    if isinstance(event, ApprovalRejected) and event.is_closing:
        state = "REJECTED"
    if state is None:
        return
    yield Put("approval_state", {"name": name, "namespace": _above(name, 2), "state": state})
    if isinstance(event, ApprovalRequested | ApprovalGranted):
        yield _undo_timer(name, "end")
        yield from _timers(event)
    elif state not in _RUNNING:
        yield _undo_timer(name, "end")
        yield _undo_timer(name, "recertify")
    if isinstance(event, ApprovalGranted) and event.HasField("review_due_time"):
        model, due = _above(event.target, 4), _time(event.review_due_time)
        yield Put("review_due", {"approval": name, "model": model, "due_time": due})


def _timers(event: _Granted) -> Iterator[Write]:
    if event.HasField("expire_time"):
        yield _timer(event.name, "end", event.expire_time)
    if isinstance(event, ApprovalGranted) and event.HasField("recertify_time"):
        yield _timer(event.name, "recertify", event.recertify_time)


def _timer(approval: str, what: str, due: Timestamp) -> Write:
    return Put("timer", {"approval": approval, "what": what, "due_time": _time(due)})


def _undo_timer(approval: str, what: str) -> Write:
    return Drop("timer", {"approval": approval, "what": what})


def _event(recorded: Recorded) -> Write:
    row: Row = {
        "nats_subject": recorded.nats_subject,
        "type": recorded.envelope.type,
        "body": recorded.body,
        "stream_time": recorded.stream_time,
    }
    return _add("event", row, recorded)


def _add(table: str, row: Row, recorded: Recorded) -> Write:
    return Add(table, {**row, "revision": recorded.revision})


def _principal(event: PrincipalCreated, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "nats_subject": recorded.nats_subject,
        "kind": ActorKind.Name(event.kind),
    }


def _role(event: RoleGranted, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "principal": _above(event.name, 2),
        "role": event.role,
        "scope": event.scope,
        "giver": event.giver,
        "endorser": event.endorsement.signer,
        "delegator": event.delegator,
        "expire_time": _time(event.expire_time) if event.HasField("expire_time") else None,
        "create_time": recorded.time,
        "given_at": recorded.revision,
    }


def _proposal(event: KeyProposed | RoleProposed | PolicyProposed, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "namespace": _above(event.name, 2) if isinstance(event, PolicyProposed) else "",
        "proposer": _proposer(event),
        "description": _description(event),
        "create_time": recorded.time,
        "proposed_at": recorded.revision,
    }


def _proposer(event: KeyProposed | RoleProposed | PolicyProposed) -> str:
    match event:
        case KeyProposed():
            return _above(event.name, 2)
        case RoleProposed():
            return event.giver
        case PolicyProposed():
            return event.proposer
    assert_never(event)


def _description(event: KeyProposed | RoleProposed | PolicyProposed) -> str:
    """Return what an endorsement would bring about, in a sentence."""
    match event:
        case KeyProposed():
            return f"{_above(event.name, 2)} may sign with the key {event.name.split('/')[-1]}."
        case RoleProposed():
            return f"{_above(event.name, 2)} becomes {event.role} in {event.scope}."
        case PolicyProposed():
            return f"Version {event.number} of {_above(event.name, 4)} governs."
    assert_never(event)


def _policy(event: PolicyPublished) -> Row:
    return {"policy": _above(event.name, 4), "namespace": _above(event.name, 2)}


def _request(event: ApprovalRequested, recorded: Recorded) -> Row:
    return {
        "name": event.name,
        "namespace": _above(event.name, 2),
        "nats_subject": recorded.nats_subject,
        "version": event.version,
        "target": event.target,
        "submitter": event.submitter,
        "create_time": recorded.time,
    }


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def _above(name: str, pieces: int) -> str:
    """Return the first pieces of a resource name: the resource above it."""
    return "/".join(name.split("/")[:pieces])


APPROVAL = Projection(
    name="approval",
    schema=files("assay_approval").joinpath("schema.sql").read_text(encoding="utf-8"),
    events=(
        PrincipalCreated,
        PrincipalLinked,
        KeyProposed,
        KeyEnrolled,
        KeyRevoked,
        KeyClaimed,
        RoleProposed,
        RoleGranted,
        RoleRemoved,
        PolicyProposed,
        PolicyPublished,
        ApprovalRequested,
        ApprovalCommented,
        EvidenceAttached,
        ApprovalSigned,
        ApprovalRejected,
        ApprovalWithdrawn,
        ApprovalExpired,
        ApprovalGranted,
        ApprovalSuspended,
        ApprovalResumed,
        ApprovalRevoked,
        ApprovalVoided,
        BreakGlassReviewed,
        RecertificationDue,
    ),
    apply=apply,
)
