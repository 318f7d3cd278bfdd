"""The rules of enrolling a key: its holder proves to hold it, for this deployment, just now."""

from datetime import datetime

from assay.approval.v1.events_pb2 import KeyEnrolled, KeyProposed
from assay.endorsements import is_proven
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.domain.signing import CLOCK_TOLERANCE, bad_signature, stale_record
from assay_events.decider import Invalid
from assay_trust.errors import TrustError
from assay_trust.record import EnrolmentRecord


def proven(given: KeyProposed, principal: str, deployment: str, at: datetime) -> KeyProposed:
    """Return the proposal by its name, once the holder of the key has proven to hold it."""
    try:
        record = EnrolmentRecord.from_bytes(given.record)
    except TrustError as error:
        raise Invalid(Reason.REASON_MALFORMED, str(error), field="record") from error
    if record.principal != principal or record.deployment != deployment:
        raise bad_signature("Sign a record that names the caller and this deployment.")
    if abs(record.time - at) > CLOCK_TOLERANCE:
        raise stale_record()
    proposed = KeyProposed()
    proposed.CopyFrom(given)
    proposed.name = record.key
    if not is_proven(proposed):
        raise bad_signature(
            "Sign the enrolment record with the key that it names; this signature does not fit."
        )
    return proposed


def enrolled(proposed: KeyProposed, *, founding: bool) -> KeyEnrolled:
    """Return the event that puts a proposed key in force."""
    event = KeyEnrolled(
        name=proposed.name,
        public_key=proposed.public_key,
        record=proposed.record,
        signature=proposed.signature,
        kind=proposed.kind,
        founding=founding,
    )
    if proposed.HasField("passkey"):
        event.passkey.CopyFrom(proposed.passkey)
    return event
