"""What goes wrong outside the rules.

A part that is away, a read model that lags, a broken stream, lost bytes.
"""

from collections.abc import Mapping

from assay.error.v1.error_reason_pb2 import Reason


class Unavailable(Exception):
    """A part that the answer needs is away; the same request may succeed later."""

    def __init__(self, message: str, retry_seconds: float = 1.0) -> None:
        """Keep how long the caller should wait before it tries again."""
        super().__init__(message)
        self.message = message
        self.retry_seconds = retry_seconds


class ProjectionBehind(Exception):
    """The read model did not reach the wanted revision in time."""

    def __init__(self, position: int, wanted: int) -> None:
        """Keep both revisions for the answer."""
        super().__init__(f"The read model is at revision {position}, not yet at {wanted}.")
        self.position = position
        self.wanted = wanted


class StreamCorrupt(Exception):
    """The stream has a gap, an event that nobody understands.

    Or settings that could lose events.
    """

    def __init__(self, message: str, revision: int = 0) -> None:
        """Keep the revision at which the fault lies, 0 where it has none."""
        super().__init__(message)
        self.message = message
        self.revision = revision


class DataLoss(Exception):
    """What was recorded as stored is gone, or is no longer what it was."""

    def __init__(self, reason: Reason.ValueType, message: str, **metadata: str) -> None:
        """Keep the reason for programs and the message for people."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = metadata


class LostRace(Exception):
    """The subject's last event is not the expected one: somebody else wrote first."""

    def __init__(self, last_revision: int) -> None:
        """Keep the revision that the store says is the last, 0 where it does not say."""
        super().__init__(f"The last event of the subject has revision {last_revision}.")
        self.last_revision = last_revision
