"""Times and revisions as they are written on the command line."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.errors import Invalid
from assay.type.v1.moment_pb2 import Moment

_LAST_REVISION = 2**63 - 1


def moment_of(text: str) -> Moment:
    """Return the moment that a time, or a bare number as a revision, spells."""
    if text.isdecimal() and text.isascii():
        return Moment(revision=min(int(text[:20]), _LAST_REVISION))
    stamp = Timestamp()
    stamp.FromDatetime(time_of(text))
    return Moment(time=stamp)


def time_of(text: str) -> datetime:
    """Return the time that ISO 8601 text spells, in UTC where it names no zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"Write the time as 2026-03-01T12:00:00Z, not {text!r}.", reason="MALFORMED"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def moment_or_now(text: str) -> Moment | None:
    """Return the moment that `text` spells; none (None) stands for now."""
    return moment_of(text) if text else None
