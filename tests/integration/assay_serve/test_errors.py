"""The translation table, seen from the client."""

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.names import ModelName
from assay_events.decider import Aborted, AlreadyExists, Forbidden, Invalid, NotFound, Rejection
from assay_events.errors import LostRace, ProjectionBehind, StreamCorrupt, Unavailable
from assay_serve.call import Context
from assay_trust.errors import TrustError
from tests.integration.assay_serve.refused import Refused, refusal
from tests.integration.assay_serve.toy import Running, create

Code = grpc.StatusCode

TABLE = [
    (
        Invalid(Reason.REASON_MALFORMED, "No.", field="model_id"),
        Code.INVALID_ARGUMENT,
        "MALFORMED",
    ),
    (TrustError("Write it well."), Code.INVALID_ARGUMENT, "MALFORMED"),
    (NotFound("namespaces/a"), Code.NOT_FOUND, "NOT_FOUND"),
    (AlreadyExists("namespaces/a"), Code.ALREADY_EXISTS, "ALREADY_EXISTS"),
    (Rejection(Reason.REASON_NOT_OPEN, "No."), Code.FAILED_PRECONDITION, "NOT_OPEN"),
    (
        Forbidden(Reason.REASON_SELF_APPROVAL, "No."),
        Code.PERMISSION_DENIED,
        "SELF_APPROVAL",
    ),
    (
        Aborted(Reason.REASON_ETAG_MISMATCH, "No.", etag='"3"'),
        Code.ABORTED,
        "ETAG_MISMATCH",
    ),
    (LostRace(3), Code.ABORTED, "LOST_RACE"),
    (Unavailable("Away."), Code.UNAVAILABLE, "UNAVAILABLE"),
    (ProjectionBehind(3, 5), Code.UNAVAILABLE, "PROJECTION_BEHIND"),
    (ConnectionRefusedError("no"), Code.UNAVAILABLE, "UNAVAILABLE"),
    (
        asyncpg.ConnectionDoesNotExistError("gone"),
        Code.UNAVAILABLE,
        "UNAVAILABLE",
    ),
    (asyncpg.InterfaceError("connection is closed"), Code.UNAVAILABLE, "UNAVAILABLE"),
    (
        asyncpg.InternalClientError("another operation (2) is in progress"),
        Code.UNAVAILABLE,
        "UNAVAILABLE",
    ),
    (asyncpg.InvalidCachedStatementError("swap"), Code.UNAVAILABLE, "UNAVAILABLE"),
    (asyncpg.UndefinedColumnError("a bug"), Code.INTERNAL, "INTERNAL"),
    (asyncpg.InterfaceError("a bug"), Code.INTERNAL, "INTERNAL"),
    (StreamCorrupt("Gap.", 7), Code.DATA_LOSS, "STREAM_CORRUPT"),
    (TimeoutError(), Code.DEADLINE_EXCEEDED, "DEADLINE"),
    (KeyError("a bug"), Code.INTERNAL, "INTERNAL"),
    (
        ExceptionGroup("of a task group", [NotFound("namespaces/a")]),
        Code.NOT_FOUND,
        "NOT_FOUND",
    ),
]


async def failing_with(toy: Running, error: Exception) -> Refused:
    async def fail(_: api.CreateModelRequest, __: Context) -> api.CreateModelResponse:
        raise error

    toy.toy.behaviour = fail
    return await refusal(toy.stub.CreateModel(create(), metadata=toy.as_user))


@pytest.mark.parametrize(("error", "code", "reason"), TABLE)
async def test_an_exception_becomes_its_status(
    toy: Running, error: Exception, code: grpc.StatusCode, reason: str
) -> None:
    refused = await failing_with(toy, error)
    assert (refused.code, refused.reason) == (code, reason)
    assert refused.message.endswith(".")


async def test_a_malformed_name_is_the_callers_fault(toy: Running) -> None:
    async def parse(request: api.CreateModelRequest, _: Context) -> api.CreateModelResponse:
        return api.CreateModelResponse(consistency_token=str(ModelName.parse(request.parent)))

    toy.toy.behaviour = parse
    refused = await refusal(toy.stub.CreateModel(create(), metadata=toy.as_user))
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "MALFORMED")


async def test_a_bad_field_is_named_in_a_bad_request(toy: Running) -> None:
    refused = await failing_with(toy, Invalid(Reason.REASON_MALFORMED, "No.", field="model_id"))
    (violation,) = refused.detail(error_details_pb2.BadRequest()).field_violations
    assert (violation.field, violation.description) == ("model_id", "No.")


async def test_what_is_missing_is_named_in_a_resource_info(toy: Running) -> None:
    refused = await failing_with(toy, NotFound("namespaces/a"))
    info = refused.detail(error_details_pb2.ResourceInfo())
    assert info.resource_name == "namespaces/a"


async def test_a_rule_that_says_no_is_a_precondition_failure(toy: Running) -> None:
    refused = await failing_with(toy, Rejection(Reason.REASON_NOT_OPEN, "No.", name="a/1"))
    (violation,) = refused.detail(error_details_pb2.PreconditionFailure()).violations
    assert (violation.type, violation.subject) == ("NOT_OPEN", "a/1")


async def test_a_stale_etag_is_answered_with_the_current_one(toy: Running) -> None:
    refused = await failing_with(toy, Aborted(Reason.REASON_ETAG_MISMATCH, "No.", etag='"3"'))
    assert refused.metadata["etag"] == '"3"'


async def test_what_is_away_says_when_to_try_again(toy: Running) -> None:
    refused = await failing_with(toy, Unavailable("Away.", 2.5))
    retry = refused.detail(error_details_pb2.RetryInfo()).retry_delay
    assert retry.ToMilliseconds() == 2500


async def test_a_read_model_that_lags_says_where_it_is(toy: Running) -> None:
    refused = await failing_with(toy, ProjectionBehind(3, 5))
    assert refused.metadata == {"position": "3", "wanted": "5"}


async def test_a_fault_carries_its_number(toy: Running) -> None:
    refused = await failing_with(toy, KeyError("a bug"))
    number = refused.detail(error_details_pb2.RequestInfo()).request_id
    assert number in refused.message
