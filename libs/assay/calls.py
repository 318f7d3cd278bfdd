"""What happens around each call: identity, deadline, request id, freshness, retries, refusals."""

import copy
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc
from google.protobuf.message import Message

from assay.credentials import Credentials
from assay.errors import AssayError, from_rpc
from assay.freshness import Freshness

_Request = TypeVar("_Request")
_REQUEST_ID, _FRESH, _TOKEN = "request_id", "at_least_as_fresh", "consistency_token"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a call may take in all, and how it is tried again."""

    deadline_seconds: float = 30.0
    max_attempts: int = 8
    first_delay_seconds: float = 0.1
    max_delay_seconds: float = 2.0

    def delay_seconds(self, attempt: int, error: AssayError) -> float:
        """Return how long to wait after the failed attempt `attempt`, from 1, with jitter."""
        backoff = self.first_delay_seconds * 2.0 ** min(attempt - 1, 16)
        longest = max(min(backoff, self.max_delay_seconds), error.retry_seconds)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


def is_retryable(error: AssayError) -> bool:
    """Say whether the same request may succeed soon: a part is away, or others kept writing."""
    return error.code == "UNAVAILABLE" or (error.code, error.reason) == ("ABORTED", "LOST_RACE")


@dataclass(slots=True)
class Attempts(Generic[_Request]):
    """One call that may be tried several times, always as the same request."""

    request: _Request
    policy: RetryPolicy
    ends_at: float
    count: int = 0

    def timeout_seconds(self) -> float:
        """Return what is left of the deadline for the next attempt."""
        return max(self.ends_at - time.monotonic(), 0.001)

    def delay_after(self, failure: grpc.RpcError) -> float:
        """Return how long to wait before the next attempt; raise the refusal if it is final."""
        error = from_rpc(failure)
        self.count += 1
        if not is_retryable(error) or self.count >= self.policy.max_attempts:
            raise error from failure
        delay = self.policy.delay_seconds(self.count, error)
        if time.monotonic() + delay >= self.ends_at:
            raise error from failure
        return delay


@dataclass(slots=True)
class Calls:
    """What all calls of a client have in common."""

    credentials: Credentials
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    freshness: Freshness = field(default_factory=Freshness)

    def begin(self, request: _Request, timeout: float | None) -> Attempts[_Request]:
        """Return the call of `request`, with its request id and its freshness filled in."""
        seconds = self.policy.deadline_seconds if timeout is None else timeout
        return Attempts(self._filled(request), self.policy, time.monotonic() + seconds)

    def identity(self) -> tuple[str, str]:
        """Return the metadata entry that says who calls."""
        return ("authorization", f"Bearer {self.credentials()}")

    def note(self, response: object) -> None:
        """Remember how fresh an answer is."""
        self.freshness.note(getattr(response, _TOKEN, ""))

    def _filled(self, request: _Request) -> _Request:
        if not isinstance(request, Message):
            return request
        names = request.DESCRIPTOR.fields_by_name
        wanted = {_REQUEST_ID: str(uuid.uuid4()), _FRESH: self.freshness.token}
        fitting = {name: value for name, value in wanted.items() if name in names and value}
        empty = {name: value for name, value in fitting.items() if not getattr(request, name)}
        # A copy: the caller may send the same message again and mean another request.
        filled = copy.deepcopy(request) if empty else request
        for name, value in empty.items():
            setattr(filled, name, value)
        return filled
