"""How refusals are expected, and how the answer of a command is read back."""

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from assay.approval.v1.resources_pb2 import Approval
from assay_events import token


def fresh(approval: Approval) -> str:
    """Return the token of the approval's last event."""
    return token.encode(int(approval.etag.strip('"')))


def refused(reason: str, words: str = "") -> "pytest.RaisesExc[grpc.RpcError]":
    """Expect a refusal for a reason, whose message has `words`."""
    return pytest.raises(
        grpc.RpcError,
        check=lambda error: reason_of(error) == reason and words in (error.details() or ""),
    )


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason in a refusal, without its prefix."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)
