"""Durations as people write them: 365d, 24h, 30m, 45s, or together as 1d12h."""

import re
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from assay.errors import Invalid

_PARTS = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,8})h)?(?:(\d{1,9})m)?(?:(\d{1,10})s)?")
_SECONDS = (86400, 3600, 60, 1)
FORM = "must be a duration, as 365d, 24h, 30m or 45s"


def seconds_of(text: str) -> int | None:
    """Return the seconds of a duration, None where it is none.

    Example:
        >>> seconds_of("1d12h")
        129600
        >>> seconds_of("soon")
    """
    parts = _PARTS.fullmatch(text)
    if not text or parts is None:
        return None
    return sum(int(part or 0) * unit for part, unit in zip(parts.groups(), _SECONDS, strict=True))


def text_of(seconds: int) -> str:
    """Return a duration as it is written, empty for none.

    Example:
        >>> text_of(129600)
        '1d12h'
    """
    text = ""
    for unit, letter in zip(_SECONDS, "dhms", strict=True):
        count, seconds = divmod(seconds, unit)
        text += f"{count}{letter}" if count else ""
    return text


def time_after(text: str) -> Timestamp:
    """Return the time at which a duration that begins now ends."""
    seconds = seconds_of(text)
    if not seconds:
        raise Invalid("Give --for as a duration, as 14d or 8h.", reason="MALFORMED")
    stamp = Timestamp()
    try:
        stamp.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        raise Invalid("Give --for as a duration within 366 days.", reason="MALFORMED") from None
    return stamp
