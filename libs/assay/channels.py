"""Channels to the services, sync and async, with `Calls` applied to each call."""

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc
from grpc import aio

from assay.calls import Calls
from assay.credentials import CLIENT

if TYPE_CHECKING:
    from grpc import _CallFuture, _CallIterator

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.primary_user_agent", CLIENT),
    # A restarted service is met again within a retry, not after a minute.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 30_000),
)


def open_sync(address: str, calls: Calls) -> grpc.Channel:
    """Return a channel of grpc to `address`."""
    channel = grpc.insecure_channel(address, options=_OPTIONS)
    return grpc.intercept_channel(channel, _SyncInterceptor(calls))


def open_async(address: str, calls: Calls) -> aio.Channel:
    """Return a channel of grpc.aio to `address`."""
    return aio.insecure_channel(
        address,
        options=_OPTIONS,
        interceptors=[_AsyncUnary(calls), _AsyncStream(calls), _AsyncExchange(calls)],
    )


@dataclass(frozen=True, slots=True)
class _Details(grpc.ClientCallDetails):
    """How one attempt is sent."""

    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _SyncInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def intercept_unary_unary(
        self,
        continuation: "Callable[[grpc.ClientCallDetails, _Request], _CallFuture[_Response]]",
        client_call_details: grpc.ClientCallDetails,
        request: _Request,
    ) -> "_CallFuture[_Response]":
        """Send `request` until it is answered or finally refused."""
        attempts = self._calls.begin(request, client_call_details.timeout)
        while True:
            details = self._details(client_call_details, attempts.timeout_seconds())
            outcome = continuation(details, attempts.request)
            try:
                self._calls.note(outcome.result())
            except grpc.RpcError as failure:
                time.sleep(attempts.delay_after(failure))
            else:
                return outcome

    def intercept_unary_stream(
        self,
        continuation: "Callable[[grpc.ClientCallDetails, _Request], _CallIterator[_Response]]",
        client_call_details: grpc.ClientCallDetails,
        request: _Request,
    ) -> "_CallIterator[_Response]":
        """Send `request` once, with the caller's identity and the deadline it was given."""
        return continuation(
            self._details(client_call_details, client_call_details.timeout), request
        )

    def intercept_stream_stream(
        self,
        continuation: "Callable[[grpc.ClientCallDetails, Iterator[_Request]], _CallIterator[_Response]]",  # noqa: E501
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Iterator[_Request],
    ) -> "_CallIterator[_Response]":
        """Send requests once, with the caller's identity and the deadline that was given."""
        return continuation(
            self._details(client_call_details, client_call_details.timeout), request_iterator
        )

    def _details(self, given: grpc.ClientCallDetails, timeout: float | None) -> _Details:
        return _Details(
            given.method,
            timeout,
            (*(given.metadata or ()), self._calls.identity()),
            given.credentials,
            given.wait_for_ready,
            given.compression,
        )


class _AsyncUnary(aio.UnaryUnaryClientInterceptor):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [aio.ClientCallDetails, _Request], Awaitable[aio.UnaryUnaryCall[_Request, _Response]]
        ],
        client_call_details: aio.ClientCallDetails,
        request: _Request,
    ) -> _Response:
        """Send `request` until it is answered or finally refused."""
        attempts = self._calls.begin(request, client_call_details.timeout)
        while True:
            details = _async_details(self._calls, client_call_details, attempts.timeout_seconds())
            try:
                response = await (await continuation(details, attempts.request))
            except grpc.RpcError as failure:
                await asyncio.sleep(attempts.delay_after(failure))
            else:
                self._calls.note(response)
                return response


class _AsyncStream(aio.UnaryStreamClientInterceptor):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_unary_stream(
        self,
        continuation: Callable[
            [aio.ClientCallDetails, _Request], Awaitable[aio.UnaryStreamCall[_Request, _Response]]
        ],
        client_call_details: aio.ClientCallDetails,
        request: _Request,
    ) -> aio.UnaryStreamCall[_Request, _Response]:
        """Send `request` once, with the caller's identity and the deadline it was given."""
        timeout = client_call_details.timeout
        return await continuation(
            _async_details(self._calls, client_call_details, timeout), request
        )


class _AsyncExchange(aio.StreamStreamClientInterceptor):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_stream_stream(
        self,
        continuation: Callable[
            [aio.ClientCallDetails, AsyncIterable[_Request] | Iterable[_Request]],
            Awaitable[aio.StreamStreamCall[_Request, _Response]],
        ],
        client_call_details: aio.ClientCallDetails,
        request_iterator: AsyncIterable[_Request] | Iterable[_Request],
    ) -> aio.StreamStreamCall[_Request, _Response]:
        """Send requests once, with the caller's identity and the deadline that was given."""
        timeout = client_call_details.timeout
        return await continuation(
            _async_details(self._calls, client_call_details, timeout), request_iterator
        )


def _async_details(
    calls: Calls, given: aio.ClientCallDetails, timeout: float | None
) -> aio.ClientCallDetails:
    return aio.ClientCallDetails(
        given.method,
        timeout,
        aio.Metadata(*(given.metadata or ()), calls.identity()),
        given.credentials,
        given.wait_for_ready,
    )
