"""The one table from exceptions to `google.rpc.Status`: what a caller sees of what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg
import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from assay.error.v1.error_reason_pb2 import Reason
from assay.names import MalformedName
from assay_events.decider import (
    Aborted,
    AlreadyExists,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Rejection,
)
from assay_events.errors import DataLoss, LostRace, ProjectionBehind, StreamCorrupt, Unavailable
from assay_serve.identity import Unauthenticated
from assay_trust.errors import TrustError

DOMAIN = "assay"
_RETRY_SECONDS = 1.0
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


def short(reason: Reason.ValueType) -> str:
    """Return a reason as a status carries it: without the prefix of its enum."""
    return Reason.Name(reason).removeprefix("REASON_")


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as the caller gets it; `is_fault` where only the log may hold the cause."""

    code: int
    reason: Reason.ValueType
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    details: tuple[Message, ...] = ()
    is_fault: bool = False

    @property
    def status_code(self) -> grpc.StatusCode:
        """The code as grpc's enum."""
        return _STATUS_CODES[self.code]

    @property
    def trailing_metadata(self) -> tuple[tuple[str, bytes]]:
        """The `google.rpc.Status`, always with ErrorInfo, where every client looks for it."""
        info = error_details_pb2.ErrorInfo(
            reason=short(self.reason), domain=DOMAIN, metadata=self.metadata
        )
        status = status_pb2.Status(
            code=self.code,
            message=self.message,
            details=[_packed(detail) for detail in (info, *self.details)],
        )
        return (("grpc-status-details-bin", status.SerializeToString()),)


def translate(error: BaseException, request_id: str) -> Answer:
    """Return what the caller is told of `error`."""
    match error:
        case BaseExceptionGroup():  # of a TaskGroup: its first error stands for all
            return translate(error.exceptions[0], request_id)
        case Refusal():
            return _refusal(error)
        case MalformedName() | TrustError():
            return _bad_request(Reason.REASON_MALFORMED, str(error))
        case DecodeError():
            return _bad_request(Reason.REASON_MALFORMED, "Send a request that is valid protobuf.")
        case Unauthenticated():
            reason = Reason.REASON_UNAUTHENTICATED
            return Answer(code_pb2.UNAUTHENTICATED, reason, str(error))
        case TimeoutError():
            message = "Allow the call more time, or try again."
            return Answer(code_pb2.DEADLINE_EXCEEDED, Reason.REASON_DEADLINE, message)
        case _:
            return _outside(error, request_id)


def _refusal(error: Refusal) -> Answer:
    metadata = error.metadata
    match error:
        case Invalid():
            return _bad_request(error.reason, error.message, error.field, metadata)
        case NotFound():
            details = (error_details_pb2.ResourceInfo(resource_name=error.name),)
            return Answer(code_pb2.NOT_FOUND, error.reason, error.message, metadata, details)
        case AlreadyExists():
            details = (error_details_pb2.ResourceInfo(resource_name=error.name),)
            return Answer(code_pb2.ALREADY_EXISTS, error.reason, error.message, metadata, details)
        case Rejection():
            details = (_precondition(error),)
            code = code_pb2.FAILED_PRECONDITION
            return Answer(code, error.reason, error.message, metadata, details)
        case Forbidden():
            return Answer(code_pb2.PERMISSION_DENIED, error.reason, error.message, metadata)
        case Aborted():
            return Answer(code_pb2.ABORTED, error.reason, error.message, metadata)
        case _:
            return _bad_request(error.reason, error.message, "", metadata)


def _outside(error: BaseException, request_id: str) -> Answer:
    """Answer what went wrong outside the rules."""
    match error:
        case Unavailable():
            return _away(error.message, error.retry_seconds)
        case ProjectionBehind():
            places = {"position": str(error.position), "wanted": str(error.wanted)}
            return _away(str(error), 0.1, Reason.REASON_PROJECTION_BEHIND, places)
        case StreamCorrupt():
            place = {"revision": str(error.revision)}
            reason = Reason.REASON_STREAM_CORRUPT
            return Answer(code_pb2.DATA_LOSS, reason, error.message, place, is_fault=True)
        case DataLoss():
            code = code_pb2.DATA_LOSS
            return Answer(code, error.reason, error.message, error.metadata, is_fault=True)
        case LostRace():
            message = "Try again: others keep writing to the same resource."
            return Answer(code_pb2.ABORTED, Reason.REASON_LOST_RACE, message)
        case grpc.aio.AioRpcError() if error.code() in _AWAY:
            return _away("Try again: another service of Assay did not answer.", _RETRY_SECONDS)
        case _ if is_connection_trouble(error):
            return _away("Try again: the server's store does not answer.", _RETRY_SECONDS)
        case _:
            return _internal(request_id)


def is_connection_trouble(error: BaseException) -> bool:
    """Return whether a store or a connection is away, rather than the code wrong."""
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # asyncpg says "connection is closed" by this broad class
    if isinstance(error, asyncpg.InternalClientError):
        return "in progress" in str(error)  # of a connection that broke in the middle of a query
    return isinstance(
        error,
        OSError
        | EOFError
        | asyncpg.PostgresConnectionError
        | asyncpg.CannotConnectNowError
        | asyncpg.OperatorInterventionError
        | asyncpg.TooManyConnectionsError
        | asyncpg.InvalidCatalogNameError
        | asyncpg.InvalidCachedStatementError  # a rebuild has put other tables in place
        | asyncpg.OutdatedSchemaCacheError,
    )


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _bad_request(
    reason: Reason.ValueType, message: str, where: str = "", about: Mapping[str, str] | None = None
) -> Answer:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=where, description=message, reason=short(reason)
    )
    details = (error_details_pb2.BadRequest(field_violations=[violation]),)
    metadata = {**(about or {}), **({"field": where} if where else {})}
    return Answer(code_pb2.INVALID_ARGUMENT, reason, message, metadata, details)


def _precondition(error: Refusal) -> Message:
    violation = error_details_pb2.PreconditionFailure.Violation(
        type=short(error.reason),
        subject=error.metadata.get("name", ""),
        description=error.message,
    )
    details: Message = error_details_pb2.PreconditionFailure(violations=[violation])
    return details


def _away(
    message: str,
    retry_seconds: float,
    reason: Reason.ValueType = Reason.REASON_UNAVAILABLE,
    metadata: Mapping[str, str] | None = None,
) -> Answer:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromNanoseconds(int(retry_seconds * 1e9))
    return Answer(code_pb2.UNAVAILABLE, reason, message, metadata or {}, (retry,))


def _internal(request_id: str) -> Answer:
    message = (
        f"Report this fault with the number {request_id}, under which the log holds its cause."
    )
    details = (error_details_pb2.RequestInfo(request_id=request_id),)
    reason = Reason.REASON_INTERNAL
    return Answer(code_pb2.INTERNAL, reason, message, details=details, is_fault=True)
