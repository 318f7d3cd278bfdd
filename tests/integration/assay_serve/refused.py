"""A refused call, with its details read."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

AnyMessage = TypeVar("AnyMessage", bound=Message)


class Refused:
    """What the client was told."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details() or ""
        found = dict(error.trailing_metadata() or ())
        raw = found["grpc-status-details-bin"]
        assert isinstance(raw, bytes)
        self.status = status_pb2.Status.FromString(raw)
        assert self.status.message == self.message
        info = self.detail(error_details_pb2.ErrorInfo())
        assert info.domain == "assay"
        self.reason: str = info.reason
        self.metadata: dict[str, str] = dict(info.metadata)

    def detail(self, message: AnyMessage) -> AnyMessage:
        """Return the detail of the type of `message`."""
        assert any(packed.Unpack(message) for packed in self.status.details)
        return message


async def refusal(call: Awaitable[object]) -> Refused:
    """Return how the call was refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refused(caught.value)
