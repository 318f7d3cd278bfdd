"""What each event means for the log, and for the question who approved what.

Nothing that lies on the stream may stop this projection: bytes that nobody can read are stored and
flagged, texts are cut to what a column and its index can hold (`body` keeps the whole), and rows
are only added or replaced, so that even a valid event that makes no sense finds its place.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.resources import files

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
    KeyEnrolled,
    KeyRevoked,
)
from assay.approval.v1.resources_pb2 import PolicyRef
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
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_events.envelope import Recorded, context_of
from assay_events.projection import Add, Projection, Put, Write
from assay_trust import dsse, keys, personal
from assay_trust.errors import TrustError
from assay_trust.record import SIGNATURE_TYPE, Meaning, Named, SigningRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_CHARACTERS = 600  # of 4 bytes each: what an index entry of Postgres holds
_MOST_HOLDERS = 16  # as the stage graph allows at most
_TELLING = frozenset(
    {
        StageSet,
        StageUnset,
        StageHoldersSet,
        AliasSet,
        AliasUnset,
        ModelVersionRegistered,
        ApprovalRequested,
        ApprovalSigned,
        ApprovalGranted,
        ApprovalRevoked,
        KeyEnrolled,
        KeyRevoked,
    }
)


def apply(recorded: Recorded) -> Iterable[Write]:
    """Return the rows that `recorded` means."""
    defect = recorded.defect or _signature_defect(recorded)
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
        case ApprovalGranted(name=name):
            yield Put("outcome", {"approval": _text(name), "is_revoked": False})
        case ApprovalRevoked(name=name):
            yield Put("outcome", {"approval": _text(name), "is_revoked": True})
        case ApprovalSigned() as event:
            yield _signature(recorded, event)
        case KeyEnrolled() as event:
            yield _signing_key(event, is_revoked=False)
        case KeyRevoked() as event:
            yield _signing_key(event, is_revoked=True)


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
        "policies": [_text(policy.name) for policy in event.policies],
        "terms": _terms(event.nonce, event.policies),
    }
    return Add("request", row)


def _signature(recorded: Recorded, event: ApprovalSigned) -> Write:
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
        "terms": _terms(record.nonce, record.policies),
        "printed_name": _text(event.printed_name.clear),
        "reason": _text(_bound_reason(recorded.envelope.reason, record)),
        "sign_time": record.time,
    }
    return Add("signature", row)


def _signing_key(event: KeyEnrolled | KeyRevoked, *, is_revoked: bool) -> Write:
    row: dict[str, object] = {
        "name": _text(event.name),
        "public_key": event.public_key,
        "is_revoked": is_revoked,
    }
    return Put("signing_key", row)


def _signature_defect(recorded: Recorded) -> str:
    """Return what is wrong with the human signature in an event, empty for nothing and for none."""
    event = recorded.event
    if not isinstance(event, ApprovalSigned | ApprovalRejected):
        return ""
    try:
        dsse.verify(event.public_key, SIGNATURE_TYPE, event.record, event.signature)
        record = SigningRecord.from_bytes(event.record)
        is_bound = _is_bound(event.printed_name, record.printed_name_commitment)
    except TrustError as error:
        return f"its signature does not hold: {error}"
    meaning = Meaning.APPROVED if isinstance(event, ApprovalSigned) else Meaning.REJECTED
    said = (record.deployment, record.approval, record.signer, record.key, record.meaning)
    deployment = recorded.envelope.deployment
    is_own = record.key.endswith(f"/{keys.key_id(event.public_key)}")
    if not is_own or said != (deployment, event.name, event.signer, event.key, meaning):
        return "its signature covers another record."
    return "" if is_bound else "its printed name is not the one that was signed."


def _is_bound(text: PersonalText, commitment: str) -> bool:
    """Tell whether a record commits to a text; one that was forgotten is still committed to."""
    if text.commitment.hex() != commitment:
        return False
    return not text.clear or personal.matches(text.clear, text.salt, text.commitment)


def _bound_reason(reason: PersonalText, record: SigningRecord) -> str:
    """Return the reason if the signer signed it, else nothing."""
    try:
        return reason.clear if _is_bound(reason, record.reason_commitment) else ""
    except TrustError:
        return ""


def _terms(nonce: str, policies: Iterable[PolicyRef | Named]) -> list[str]:
    """Return what a signature must cover beside version and target."""
    return [_text(nonce), *sorted(_text(f"{p.name} {p.digest}") for p in policies)]


def _text(value: str) -> str:
    """Return `value` as a column and its index can hold it."""
    if len(value) > _MOST_CHARACTERS:
        value = value[:_MOST_CHARACTERS]
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value


def _time(envelope: Envelope) -> datetime | None:
    """Return the handler's clock, None where it is no time of the calendar."""
    if not envelope.HasField("time"):
        return None
    time = envelope.time
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
