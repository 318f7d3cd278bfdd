"""What each event means for the log, and for the question who approved what.

Nothing that lies on the stream may stop this projection: bytes that nobody can read are stored and
flagged, texts are cut to what a column and its index can hold (`body` keeps the whole), and rows
are only added or replaced, so that even a valid event that makes no sense finds its place.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from assay.approval.v1.events_pb2 import (
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
)
from assay.approval.v1.resources_pb2 import ApprovalState, PolicyRef
from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    ModelVersionRegistered,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import StageHolder
from assay_audit import signatures
from assay_audit.signatures import Signed
from assay_events.envelope import Recorded, context_of
from assay_events.projection import Add, Projection, Put, Write
from assay_trust.record import Named, SigningRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_CHARACTERS = 600  # of 4 bytes each: what an index entry of Postgres holds
_MOST_HOLDERS = 16  # as the stage graph allows at most
_STATES: Mapping[type[Message], ApprovalState.ValueType] = {
    ApprovalGranted: ApprovalState.APPROVAL_STATE_GRANTED,
    ApprovalRejected: ApprovalState.APPROVAL_STATE_REJECTED,
    ApprovalWithdrawn: ApprovalState.APPROVAL_STATE_WITHDRAWN,
    ApprovalExpired: ApprovalState.APPROVAL_STATE_EXPIRED,
    ApprovalSuspended: ApprovalState.APPROVAL_STATE_SUSPENDED,
    ApprovalResumed: ApprovalState.APPROVAL_STATE_GRANTED,
    ApprovalRevoked: ApprovalState.APPROVAL_STATE_REVOKED,
    ApprovalVoided: ApprovalState.APPROVAL_STATE_VOIDED,
}
_TELLING = frozenset(
    {
        *_STATES,
        StageSet,
        StageUnset,
        StageHoldersSet,
        AliasSet,
        AliasUnset,
        ModelVersionRegistered,
        ApprovalRequested,
        ApprovalSigned,
        BreakGlassReviewed,
        EvidenceAttached,
    }
)


def apply(recorded: Recorded) -> Iterable[Write]:
    """Return the rows that `recorded` means."""
    defect = recorded.defect or signatures.defect(recorded)
    log = Add("log", _log_row(recorded, defect))
    return (log,) if defect else (log, *_answers(recorded))


def _log_row(recorded: Recorded, defect: str) -> dict[str, object]:
    envelope = recorded.envelope
    actor = envelope.actor
    return {
        "revision": recorded.revision,
        "stream_time": recorded.stream_time,
        "nats_subject": recorded.nats_subject,
        "context": context_of(recorded.nats_subject),
        "type": _text(envelope.type or recorded.stored.type),
        "resource": _text(envelope.subject),
        "actor": _text(actor.principal),
        "actor_kind": actor.kind,
        "on_behalf_of": _text(actor.on_behalf_of),
        "time": _time(envelope),
        "request_id": _text(envelope.request_id),
        "is_valid": not defect,
        "defect": _text(defect),
        "body": recorded.body,
    }


def _answers(recorded: Recorded) -> Iterable[Write]:
    """Return the rows from which `WhoApproved` is answered."""
    if type(recorded.event) not in _TELLING:  # quicker than to try each case, as most events need
        return
    match recorded.event:
        case StageSet() | AliasSet() as event:
            yield _holding(recorded, [StageHolder(version=event.version, approval=event.approval)])
        case StageUnset() | AliasUnset():
            yield _holding(recorded, [])
        case StageHoldersSet() as event:
            yield _holding(recorded, event.holders)
        case ModelVersionRegistered() as event:
            yield _registration(recorded, event)
        case ApprovalRequested() as event:
            yield _request(recorded, event)
        case EvidenceAttached() as event:
            yield _attachment(recorded, event)
        case _:
            yield from _of_approval(recorded)


def _of_approval(recorded: Recorded) -> Iterable[Write]:
    """Return the rows of a signature, and of what changes how an approval stands."""
    event = recorded.event
    if isinstance(event, ApprovalSigned | ApprovalRejected | BreakGlassReviewed):
        yield _signature(recorded, event)
    if isinstance(event, ApprovalRejected) and not event.is_closing:
        return
    if event is not None and type(event) in _STATES:
        yield _outcome(recorded, _STATES[type(event)])


def _holding(recorded: Recorded, holders: Iterable[StageHolder]) -> Write:
    """Return who holds from now on, in the order in which they entered."""
    holders = list(holders)[:_MOST_HOLDERS]
    row: dict[str, object] = {
        "name": _text(recorded.name),
        "versions": [_text(holder.version) for holder in holders],
        "approvals": [_text(holder.approval) for holder in holders],
        "actor": _text(recorded.actor.principal),
        "revision": recorded.revision,
        "enter_time": _time(recorded.envelope),
    }
    return Put("holding", row)


def _registration(recorded: Recorded, event: ModelVersionRegistered) -> Write:
    actor = recorded.actor
    row: dict[str, object] = {
        "revision": recorded.revision,
        "version": _text(event.name),
        "manifest_digest": _text(event.manifest_digest),
        "registrant": _text(actor.on_behalf_of or actor.principal),
    }
    return Add("registration", row)


def _request(recorded: Recorded, event: ApprovalRequested) -> Write:
    row: dict[str, object] = {
        "revision": recorded.revision,
        "approval": _text(event.name),
        "submitter": _text(event.submitter),
        "target": _text(event.target),
        "quorum": event.quorum,
        "is_break_glass": event.is_break_glass,
        "evidence_digest": _text(event.evidence_digest),
        "policies": [_text(policy.name) for policy in event.policies],
        "terms": _terms(event.nonce, event.evidence_digest, event.policies),
    }
    return Add("request", row)


def _attachment(recorded: Recorded, event: EvidenceAttached) -> Write:
    row: dict[str, object] = {
        "revision": recorded.revision,
        "approval": _text(event.name),
        "type": _text(event.type),
        "artifact": _text(event.artifact),
        "attacher": _text(event.attacher),
    }
    return Add("attachment", row)


def _outcome(recorded: Recorded, state: ApprovalState.ValueType) -> Write:
    event = recorded.event
    granted = event if isinstance(event, ApprovalGranted) else ApprovalGranted()
    row: dict[str, object] = {
        "revision": recorded.revision,
        "approval": _text(recorded.name),
        "state": state,
        "time": _time(recorded.envelope),
        "expire_time": _moment(granted.expire_time, is_told=granted.HasField("expire_time")),
        "review_due_time": _moment(
            granted.review_due_time, is_told=granted.HasField("review_due_time")
        ),
    }
    return Add("outcome", row)


def _signature(recorded: Recorded, event: Signed) -> Write:
    record = SigningRecord.from_bytes(event.record)
    row: dict[str, object] = {
        "revision": recorded.revision,
        "approval": _text(event.name),
        "signer": _text(event.signer),
        "key": _text(event.key),
        "public_key": event.public_key,
        "version": _text(record.subject.name),
        "manifest_digest": _text(record.subject.digest),
        "target": _text(record.target),
        "terms": _terms(record.nonce, record.evidence_digest, record.policies),
        "meaning": record.meaning.value,
        "step": _text(record.step),
        "role": _text(record.role),
        "delegator": _text(record.delegator),
        "printed_name": _text(event.printed_name.clear),
        "reason": _text(signatures.bound_reason(recorded.envelope.reason, record)),
        "reason_code": _text(record.reason_code),
        "sign_time": record.time,
    }
    return Add("signature", row)


def _terms(nonce: str, evidence_digest: str, policies: Iterable[PolicyRef | Named]) -> list[str]:
    """Return what a signature must cover beside version and target."""
    return [
        _text(nonce),
        _text(evidence_digest),
        *sorted(_text(f"{p.name} {p.digest}") for p in policies),
    ]


def _text(value: str) -> str:
    """Return `value` as a column and its index can hold it."""
    if len(value) > _MOST_CHARACTERS:
        value = value[:_MOST_CHARACTERS]
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value


def _time(envelope: Envelope) -> datetime | None:
    """Return the handler's clock, None where it is no time of the calendar."""
    return _moment(envelope.time, is_told=envelope.HasField("time"))


def _moment(time: Timestamp, *, is_told: bool) -> datetime | None:
    if not is_told:
        return None
    try:  # a third of what ToDatetime takes
        return _EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000)
    except OverflowError:
        return None


AUDIT = Projection(
    name="audit",
    schema=(files(__package__ or "assay_audit") / "schema.sql").read_text(),
    events=None,
    apply=apply,
)
