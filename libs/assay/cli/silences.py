"""What gRPC itself says, when no service of Assay answered, in a sentence of ours."""

import socket
from dataclasses import asdict

import grpc

from assay.endpoints import Endpoints
from assay.errors import AssayError, DeadlineExceeded, Internal, Unavailable, Unimplemented
from assay.folder import DataFolder

_DETAILS_KEY = "grpc-status-details-bin"
_CONNECT_SECONDS = 0.5


def explained(error: AssayError, folder: DataFolder) -> AssayError:
    """Return `error`, in our own words where the words are not those of a service."""
    cause = error.__cause__
    if not isinstance(cause, grpc.Call | grpc.aio.AioRpcError) or _is_of_a_service(cause):
        return error
    said = {"details": str(cause.details() or "")}
    match error.code:
        case "UNAVAILABLE" | "CANCELLED" | "UNKNOWN":
            return Unavailable(_who_is_silent(folder), reason="UNAVAILABLE", metadata=said)
        case "DEADLINE_EXCEEDED":
            late = "The stack took too long to answer: try again, or look at what it does."
            return DeadlineExceeded(late, reason="DEADLINE", metadata=said)
        case "UNIMPLEMENTED":
            old = "The stack is older than this program and does not know the command."
            return Unimplemented(old, metadata=said)
        case "INTERNAL":
            broken = "The connection to a service of the stack broke: try again."
            return Internal(broken, metadata=said)
    return error


def _is_of_a_service(cause: "grpc.Call | grpc.aio.AioRpcError") -> bool:
    """Say whether a service gave a reason: gRPC itself never does."""
    return any(key == _DETAILS_KEY for key, _ in cause.trailing_metadata() or ())


def _who_is_silent(folder: DataFolder) -> str:
    try:
        addresses = asdict(Endpoints.read(folder.path))
    except AssayError as error:
        return error.message
    silent = [name for name, address in addresses.items() if not _answers(address)]
    if len(silent) == len(addresses):
        return f"The stack in {folder.path} does not answer: it is down, or still starting."
    if silent:
        names = f"{', '.join(silent)} {'do' if len(silent) > 1 else 'does'}"
        return f"Of the stack in {folder.path}, {names} not answer."
    return f"The stack in {folder.path} lost the connection and is back: try again."


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
