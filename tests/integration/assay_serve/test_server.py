"""The server as a client meets it: checks, deadlines, streams, health, reflection, draining."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from assay.event.v1 import event_service_pb2 as events_api
from assay.event.v1.event_service_pb2_grpc import EventServiceStub
from assay.metadata.v1 import metadata_service_pb2 as api
from assay_serve import interceptor
from assay_serve.call import Context, current, intent, time_left
from assay_serve.server import MAX_REQUEST_BYTES
from tests.integration.assay_serve.refused import refusal
from tests.integration.assay_serve.toy import PRINCIPAL, Running, create

Code = grpc.StatusCode
# grpc rounds what is left up to whole units on the wire.
SLACK_SECONDS = 0.1
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def raw_call(toy: Running) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return toy.channel.unary_unary("/assay.metadata.v1.MetadataService/CreateModel")


async def test_a_call_is_answered(toy: Running) -> None:
    answer = await toy.stub.CreateModel(create(), metadata=toy.as_user)
    assert answer.consistency_token == "churn"


async def test_a_required_field_left_empty_is_named(toy: Running) -> None:
    refused = await refusal(toy.stub.CreateModel(create(parent=""), metadata=toy.as_user))
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "REQUIRED")
    assert refused.metadata == {"field": "parent"}


async def test_bytes_that_are_no_protobuf_are_refused(toy: Running) -> None:
    call = raw_call(toy)
    refused = await refusal(call(b"\xff\xff", metadata=toy.as_user))
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "MALFORMED")


async def test_text_that_is_no_utf8_is_refused(toy: Running) -> None:
    call = raw_call(toy)
    refused = await refusal(call(b"\x0a\x03\xed\xa0\x80", metadata=toy.as_user))
    assert refused.code == Code.INVALID_ARGUMENT


async def test_a_request_over_16_mib_is_refused(toy: Running) -> None:
    call = raw_call(toy)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(bytes(MAX_REQUEST_BYTES + 1), metadata=toy.as_user)
    assert caught.value.code() == Code.RESOURCE_EXHAUSTED


async def test_a_call_without_a_deadline_gets_one(
    toy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interceptor, "DEFAULT_DEADLINE_SECONDS", 1.0)
    left = list[float]()

    async def sleep(_: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        left.append(time_left(context))
        await asyncio.sleep(30)
        return api.CreateModelResponse()

    toy.toy.behaviour = sleep
    refused = await refusal(toy.stub.CreateModel(create(), metadata=toy.as_user))
    assert (refused.code, refused.reason) == (Code.DEADLINE_EXCEEDED, "DEADLINE")
    assert 0 < left[0] < interceptor.DEFAULT_DEADLINE_SECONDS + 1  # gRPC rounds up


async def test_a_handler_ends_when_its_caller_has_gone(toy: Running) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def sleep(_: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return api.CreateModelResponse()

    toy.toy.behaviour = sleep
    call = toy.stub.CreateModel(create(), metadata=toy.as_user)
    async with asyncio.timeout(30):
        await begun.wait()
        call.cancel()
        await ended.wait()


async def test_a_handler_ends_when_its_time_is_over(toy: Running) -> None:
    left, ended = list[float](), asyncio.Event()

    async def sleep(_: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        left.append(time_left(context))
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return api.CreateModelResponse()

    toy.toy.behaviour = sleep
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await toy.stub.CreateModel(create(), metadata=toy.as_user, timeout=2)
    assert caught.value.code() == Code.DEADLINE_EXCEEDED
    assert left[0] < interceptor.DEFAULT_DEADLINE_SECONDS
    async with asyncio.timeout(30):
        await ended.wait()


async def test_an_intent_says_who_asks_and_which_request_it_is(toy: Running) -> None:
    intents = list[object]()

    async def keep(request: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        wanted = intent(request, context)
        intents.append(wanted.request_digest)
        assert wanted.actor.principal == f"principals/{PRINCIPAL}"
        assert wanted.request_id == request.request_id.lower() or not request.request_id
        assert len(wanted.request_id) == 36
        assert wanted.traceparent == TRACE
        found = current.get()
        assert found is not None
        assert found.actor == wanted.actor
        return api.CreateModelResponse()

    toy.toy.behaviour = keep
    metadata = (*toy.as_user, ("traceparent", TRACE))
    for request in (create(), create(), create(request_id=""), create(model_id="other")):
        await toy.stub.CreateModel(request, metadata=metadata)
    first, same, without_id, other = intents
    assert first == same == without_id
    assert first != other


async def test_a_stream_comes_in_order(toy: Running) -> None:
    stream = EventServiceStub(toy.channel).Watch(
        events_api.WatchRequest(after_revision=7), metadata=toy.as_user
    )
    assert [answer.heartbeat.revision async for answer in stream] == [7, 8, 9]


async def test_a_fault_in_a_stream_is_told_after_what_was_sent(toy: Running) -> None:
    stream = EventServiceStub(toy.channel).Watch(
        events_api.WatchRequest(until_now=True), metadata=toy.as_user
    )

    async def read() -> AsyncIterator[int]:
        async for answer in stream:
            yield answer.heartbeat.revision

    seen = list[int]()

    async def read_all() -> None:
        async for revision in read():
            seen.append(revision)

    refused = await refusal(read_all())
    assert seen == [0, 1, 2]
    assert refused.code == Code.INTERNAL
    assert "a bug" not in refused.message


async def test_a_stream_needs_a_token_too(toy: Running) -> None:
    stream = EventServiceStub(toy.channel).Watch(events_api.WatchRequest())

    async def read_all() -> None:
        async for _ in stream:
            pass

    assert (await refusal(read_all())).code == Code.UNAUTHENTICATED


async def test_health_is_open_and_says_not_serving_until_all_is_ready(toy: Running) -> None:
    stub = health_pb2_grpc.HealthStub(toy.channel)
    ask = health_pb2.HealthCheckRequest(service="assay.metadata.v1.MetadataService")
    assert (await stub.Check(ask)).status == health_pb2.HealthCheckResponse.NOT_SERVING
    await toy.server.set_ready(is_ready=True)
    assert (await stub.Check(ask)).status == health_pb2.HealthCheckResponse.SERVING
    await toy.server.set_ready(is_ready=False)
    assert (await stub.Check(ask)).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_reflection_is_open_and_lists_the_services(toy: Running) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(toy.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    await call.done_writing()
    answer = await call.read()
    names = {service.name for service in answer.list_services_response.service}
    assert {"assay.metadata.v1.MetadataService", "assay.event.v1.EventService"} <= names


async def test_a_running_call_ends_before_the_server_does(toy: Running) -> None:
    begun = asyncio.Event()

    async def slow(_: api.CreateModelRequest, __: Context) -> api.CreateModelResponse:
        begun.set()
        await asyncio.sleep(0.3)
        return api.CreateModelResponse(consistency_token="done")

    toy.toy.behaviour = slow
    call = asyncio.ensure_future(toy.stub.CreateModel(create(), metadata=toy.as_user))
    await begun.wait()
    await toy.server.stop()
    assert (await call).consistency_token == "done"


async def test_a_fault_is_logged_and_only_its_number_is_told(
    toy: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(_: api.CreateModelRequest, __: Context) -> api.CreateModelResponse:
        raise RuntimeError("the password is tulip")

    toy.toy.behaviour = broken
    refused = await refusal(toy.stub.CreateModel(create(), metadata=toy.as_user))
    assert (refused.code, refused.reason) == (Code.INTERNAL, "INTERNAL")
    assert "tulip" not in refused.status.SerializeToString().decode("latin-1")
    logged = capsys.readouterr().out
    number = refused.message.split("number ")[1].split(",")[0]
    assert number in logged
    assert "tulip" in logged
