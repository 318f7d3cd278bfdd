"""A stream of requests as a client meets it: one answer each, checked one by one, in order."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.message import Message

from assay.metadata.v1 import metadata_service_pb2 as api
from assay_serve.call import Context, actor
from tests.integration.assay_serve.refused import Refused
from tests.integration.assay_serve.toy import PRINCIPAL, Running

Code = grpc.StatusCode
IMPORT = "/assay.metadata.v1.MetadataService/Import"


def request(number: int = 1, model: str = "m") -> api.ImportRequest:
    return api.ImportRequest(model=model, import_id="i", batch=number, items=[api.ImportItem()])


def exchange(toy: Running, *, is_known: bool = True) -> "grpc.aio.StreamStreamCall[bytes, bytes]":
    method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = toy.channel.stream_stream(IMPORT)
    return method(metadata=toy.as_user if is_known else ())


async def answer(call: "grpc.aio.StreamStreamCall[bytes, bytes]", raw: bytes) -> int:
    await call.write(raw)
    found = await call.read()
    assert isinstance(found, bytes), found
    return api.ImportResponse.FromString(found).batch


async def refusal(call: "grpc.aio.StreamStreamCall[bytes, bytes]", raw: bytes) -> Refused:
    await call.write(raw)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    return Refused(caught.value)


async def test_each_request_is_answered_before_the_next_is_sent(toy: Running) -> None:
    call = exchange(toy)
    for number in (1, 2, 3):
        assert await answer(call, request(number).SerializeToString()) == number
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == Code.OK


async def test_a_stream_without_a_request_has_no_answer(toy: Running) -> None:
    call = exchange(toy)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == Code.OK


async def test_a_wrong_request_is_named_after_the_right_ones_were_answered(toy: Running) -> None:
    call = exchange(toy)
    assert await answer(call, request().SerializeToString()) == 1
    refused = await refusal(call, request(2, model="").SerializeToString())
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "REQUIRED")
    assert refused.metadata == {"field": "model"}


async def test_bytes_that_are_no_protobuf_are_refused(toy: Running) -> None:
    refused = await refusal(exchange(toy), b"\xff\xff")
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "MALFORMED")


async def test_a_request_over_16_mib_ends_the_stream(toy: Running) -> None:
    call = exchange(toy)
    await call.write(bytes(16 * 1024 * 1024 + 1))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == Code.RESOURCE_EXHAUSTED


async def test_a_stream_of_requests_needs_a_token(toy: Running) -> None:
    refused = await refusal(exchange(toy, is_known=False), request().SerializeToString())
    assert refused.code == Code.UNAUTHENTICATED


async def test_a_bug_is_told_by_its_number_only(toy: Running) -> None:
    async def break_down(
        requests: AsyncIterator[api.ImportRequest], _: Context
    ) -> AsyncIterator[Message]:
        async for each in requests:
            yield api.ImportResponse(batch=each.batch)
            raise RuntimeError("a bug")

    toy.toy.exchange = break_down
    call = exchange(toy)
    assert await answer(call, request().SerializeToString()) == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == Code.INTERNAL
    assert "a bug" not in (caught.value.details() or "")


async def test_the_handler_knows_who_sends(toy: Running) -> None:
    seen = list[str]()

    async def note(
        requests: AsyncIterator[api.ImportRequest], context: Context
    ) -> AsyncIterator[Message]:
        seen.append(actor(context).principal)
        async for each in requests:
            yield api.ImportResponse(batch=each.batch)

    toy.toy.exchange = note
    assert await answer(exchange(toy), request(7).SerializeToString()) == 7
    assert seen == [f"principals/{PRINCIPAL}"]


async def test_a_handler_ends_when_its_caller_has_gone(toy: Running) -> None:
    ended = asyncio.Event()

    async def wait(
        requests: AsyncIterator[api.ImportRequest], _: Context
    ) -> AsyncIterator[Message]:
        try:
            async for each in requests:
                yield api.ImportResponse(batch=each.batch)
        finally:
            ended.set()

    toy.toy.exchange = wait
    call = exchange(toy)
    assert await answer(call, request().SerializeToString()) == 1
    call.cancel()
    async with asyncio.timeout(30):
        await ended.wait()
