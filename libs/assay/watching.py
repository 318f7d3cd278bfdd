"""Watch: every event in order, going on where it stopped when the connection is lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from assay.calls import RetryPolicy, is_retryable
from assay.errors import from_rpc
from assay.event.v1 import envelope_pb2, event_service_pb2
from assay.event.v1.event_service_pb2_grpc import EventServiceStub

if TYPE_CHECKING:
    from assay.event.v1.event_service_pb2_grpc import EventServiceAsyncStub


@dataclass(slots=True)
class _Position:
    """How far a watch has come, and how often it failed since."""

    request: event_service_pb2.WatchRequest
    policy: RetryPolicy
    failures: int = 0

    def note(self, response: event_service_pb2.WatchResponse) -> None:
        """Take note of an event or a heartbeat: a new call begins after it."""
        self.failures = 0
        heartbeat = response.WhichOneof("content") == "heartbeat"
        at = response.heartbeat.revision if heartbeat else response.event.revision
        self.request.after_revision = max(self.request.after_revision, at)

    def delay_after(self, failure: grpc.RpcError) -> float:
        """Return how long to wait before the next call; raise the refusal if it is final."""
        error = from_rpc(failure)
        self.failures += 1
        if not is_retryable(error) or self.failures >= self.policy.max_attempts:
            raise error from failure
        return self.policy.delay_seconds(self.failures, error)


def watch(
    stub: EventServiceStub, request: event_service_pb2.WatchRequest, policy: RetryPolicy
) -> Iterator[envelope_pb2.RecordedEvent]:
    """Yield the events that `request` asks for, each once, over as many calls as it takes."""
    position = _begin(request, policy)
    while True:
        call = stub.Watch(position.request)
        try:
            for response in call:
                position.note(response)
                if response.WhichOneof("content") == "event":
                    yield response.event
            return
        except grpc.RpcError as failure:
            time.sleep(position.delay_after(failure))
        finally:
            call.cancel()


async def watch_async(
    stub: "EventServiceAsyncStub", request: event_service_pb2.WatchRequest, policy: RetryPolicy
) -> AsyncIterator[envelope_pb2.RecordedEvent]:
    """Yield the events that `request` asks for, each once, over as many calls as it takes."""
    position = _begin(request, policy)
    while True:
        call = stub.Watch(position.request)
        try:
            async for response in call:
                position.note(response)
                if response.WhichOneof("content") == "event":
                    yield response.event
            return
        except grpc.RpcError as failure:
            await asyncio.sleep(position.delay_after(failure))
        finally:
            call.cancel()


def _begin(request: event_service_pb2.WatchRequest, policy: RetryPolicy) -> _Position:
    own = event_service_pb2.WatchRequest()
    own.CopyFrom(request)
    return _Position(own, policy)
