"""Refusals: one class a gRPC status, each with the reason that the server gave."""

from collections.abc import Mapping
from typing import ClassVar

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"


class AssayError(Exception):
    """A call or an action was refused, or could not be done.

    Attributes:
        message: One sentence that says what to do.
        reason: Why, as a name of `assay.error.v1.Reason` without its prefix: `NOT_FOUND`.
        metadata: What the refusal is about, by name.
        fields: The fields of the request that are wrong, and what is wrong with each.
        retry_seconds: When the server asks to be called again, 0 where it does not say.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        retry_seconds: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.code
        self.metadata = dict(metadata or {})
        self.fields = dict(fields or {})
        self.retry_seconds = retry_seconds


class Invalid(AssayError):
    """The request is wrong whatever the state: a malformed name, an empty field."""

    code = "INVALID_ARGUMENT"


class Unauthenticated(AssayError):
    """No token was sent, or it is expired, foreign or unsigned."""

    code = "UNAUTHENTICATED"


class PermissionDenied(AssayError):
    """A rule refuses it because of who asks, or because an approval is missing."""

    code = "PERMISSION_DENIED"


class NotFound(AssayError):
    """The resource is not there."""

    code = "NOT_FOUND"


class AlreadyExists(AssayError):
    """The resource is there already."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(AssayError):
    """A rule refuses it in the present state."""

    code = "FAILED_PRECONDITION"


class Aborted(AssayError):
    """Somebody else wrote first: read again and decide again."""

    code = "ABORTED"


class Unavailable(AssayError):
    """A part that is needed is away; the same call may work later."""

    code = "UNAVAILABLE"


class DeadlineExceeded(AssayError):
    """The time for the call ran out."""

    code = "DEADLINE_EXCEEDED"


class DataLoss(AssayError):
    """The stream, a table or a file is not what it must be."""

    code = "DATA_LOSS"


class Cancelled(AssayError):
    """The call was cancelled."""

    code = "CANCELLED"


class Unimplemented(AssayError):
    """The server does not know this call; it is older than this client, or another service."""

    code = "UNIMPLEMENTED"


class ResourceExhausted(AssayError):
    """The message or the number of calls is larger than the server takes."""

    code = "RESOURCE_EXHAUSTED"


class Internal(AssayError):
    """A fault of the server; its log holds the cause."""

    code = "INTERNAL"


_CLASSES: Mapping[str, type[AssayError]] = {
    kind.code: kind
    for kind in (
        Invalid,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Aborted,
        Unavailable,
        DeadlineExceeded,
        DataLoss,
        Cancelled,
        Unimplemented,
        ResourceExhausted,
    )
}


def from_rpc(error: grpc.RpcError) -> AssayError:
    """Return the refusal that `error` carries."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Internal(str(error) or "The call failed without a status.")
    kind = _CLASSES.get(error.code().name, Internal)
    status = _status(error)
    message = status.message or error.details() or "The call failed without a message."
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for wanted in (info, bad, retry):
            detail.Unpack(wanted)
    return kind(
        message,
        reason=info.reason,
        metadata=info.metadata,
        fields={wrong.field: wrong.description for wrong in bad.field_violations},
        retry_seconds=retry.retry_delay.ToTimedelta().total_seconds(),
    )


def _status(error: grpc.Call | grpc.aio.AioRpcError) -> status_pb2.Status:
    """Return the rich status beside the plain one, empty where the server sent none."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()
