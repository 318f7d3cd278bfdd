"""Signed requests to the object store: sent exactly as signed, tried again where that can help."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Protocol

import urllib3

from assay.artifact.v1.resources_pb2 import SignedRequest
from assay.errors import AssayError, FailedPrecondition, Internal, Unavailable

_MAX_ATTEMPTS = 6
_MAX_RENEWALS = 3
_MAX_ERROR_BYTES = 64 * 1024
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
_MISMATCHES = frozenset(
    {"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidDigest"}
)


class WrongBytes(FailedPrecondition):
    """The store saw other bytes than those that were promised."""


class Overtaken(Exception):
    """The upload is no longer open: somebody else finished it, or the store gave it up."""


class _Expired(Exception):
    """The signature is no longer valid, or never was."""


class Signer(Protocol):
    """Gives the signed request of one transfer."""

    def signed(self) -> SignedRequest:
        """Return the request, the same for each attempt."""

    def renewed(self) -> SignedRequest:
        """Return the request signed again, as the one before has expired."""


class Sink(Protocol):
    """Where the bytes of a download go."""

    position: int

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def restart(self) -> None:
        """Forget all bytes so far."""


class Store:
    """A pool of connections to the object store."""

    def __init__(self, connections: int) -> None:
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=5.0, read=120.0),
        )

    def put(self, signer: Signer, body: Callable[[], bytes]) -> None:
        """Send `body`; an object that is there already counts as sent."""

        def attempt(request: SignedRequest) -> None:
            with self._answer("PUT", request, body=body()):
                pass

        _persist(signer, attempt)

    def get(self, signer: Signer, sink: Sink) -> None:
        """Stream an object into `sink`, from where it stands after an interruption."""

        def attempt(request: SignedRequest) -> None:
            at = sink.position
            with self._answer("GET", request, {"range": f"bytes={at}-"} if at else {}) as response:
                if at and response.status != HTTPStatus.PARTIAL_CONTENT:
                    sink.restart()
                for chunk in response.stream(1024 * 1024, decode_content=False):
                    sink.write(chunk)

        _persist(signer, attempt)

    @contextmanager
    def _answer(
        self,
        method: str,
        request: SignedRequest,
        extra: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Give the response to a signed request; raise what a bad status means."""
        headers = {**request.headers, **(extra or {})}
        response = self._pool.request(
            method, request.url, body=body, headers=headers, preload_content=False, redirect=False
        )
        try:
            _check(response)
            yield response
            response.drain_conn()
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()


def _persist(signer: Signer, attempt: Callable[[SignedRequest], None]) -> None:
    """Make the attempt until it succeeds, cannot succeed, or was made often enough."""
    renewals, failures = 0, 0
    request = signer.signed()
    while True:
        try:
            return attempt(request)
        except _Expired as error:
            renewals += 1
            if renewals > _MAX_RENEWALS:
                raise Internal(
                    "The object store refuses the signatures that it is given."
                ) from error
            request = signer.renewed()
        except (Unavailable, urllib3.exceptions.HTTPError) as error:
            failures += 1
            if failures >= _MAX_ATTEMPTS:
                raise _away(error) from error
            time.sleep(0.1 * 2**failures * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load


def _check(response: urllib3.BaseHTTPResponse) -> None:
    status = response.status
    if status < HTTPStatus.MULTIPLE_CHOICES or status == HTTPStatus.PRECONDITION_FAILED:
        return  # 412: the object is there already, and is compared when the blob is completed
    match = _CODE.search(response.read(_MAX_ERROR_BYTES) or b"")
    code = match.group(1).decode() if match else ""
    if code in _MISMATCHES:
        raise WrongBytes("The bytes are not those that were promised.", reason="DIGEST_MISMATCH")
    if code == "NoSuchUpload":
        raise Overtaken
    if status == HTTPStatus.FORBIDDEN:
        raise _Expired
    answer = f"the object store answered {status} {code or response.reason or ''}".strip()
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }:
        raise Unavailable(f"Try again later: {answer}.", reason="STORE_UNAVAILABLE")
    raise Internal(f"The transfer failed: {answer}.", reason="STORE_REFUSED")


def _away(error: Exception) -> AssayError:
    if isinstance(error, Unavailable):
        return error
    return Unavailable(
        f"The object store cannot be reached: {type(error).__name__}.", reason="STORE_UNAVAILABLE"
    )
