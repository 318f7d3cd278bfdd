"""Consistency tokens: how far a write or a read has seen the stream. Opaque to callers."""

import base64
import binascii

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid

_PREFIX = b"assay1:"
_MAX_REVISION = 2**63 - 1


def encode(revision: int) -> str:
    """Return the token of a revision."""
    return base64.urlsafe_b64encode(_PREFIX + str(revision).encode()).decode().rstrip("=")


def decode(token: str) -> int:
    """Return the revision of a token, 0 for the empty one.

    Refuse anything that `encode` does not make.
    """
    if not token:
        return 0
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        revision = int(text.removeprefix(_PREFIX))
    except (ValueError, binascii.Error):
        revision = -1
    if not 0 <= revision <= _MAX_REVISION or encode(revision) != token:
        raise Invalid(
            Reason.REASON_MALFORMED,
            "The consistency token is not one that this deployment gave out; leave "
            "it empty or send one unchanged.",
            field="at_least_as_fresh",
        )
    return revision
