"""A store that is away, slow, busy or odd, played by a real server on a real socket."""

import asyncio
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from assay_artifact.ports.blob_store import Missing, StoreFault, WrongParts
from assay_artifact.ports.presign import Credentials
from assay_artifact.ports.s3 import S3, Bucket
from assay_artifact.ports.transport import Transport
from assay_events.errors import Unavailable


class _Handler(socketserver.StreamRequestHandler):
    """Answers every request with the same bytes, or never where there are none."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line == b"\r\n":
                break
        answer: bytes = getattr(self.server, "answer")  # noqa: B009 - set below, unknown to mypy
        if answer:
            self.wfile.write(answer)
        else:
            time.sleep(2)


@contextmanager
def store(answer: bytes) -> Iterator[S3]:
    """A store that answers so; a call may take a fifth of a second."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        setattr(server, "answer", answer)  # noqa: B010 - as above
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield at(server.server_address[1])
        server.shutdown()


def at(port: object) -> S3:
    bucket = Bucket(f"http://127.0.0.1:{port}", "b", Credentials("a", "s"))
    return S3(bucket, Transport(connect_seconds=0.2, answer_seconds=0.2))


def answer(status: str, body: str = "") -> bytes:
    text = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
    return text.encode()


def error(code: str) -> str:
    return f"<Error><Code>{code}</Code></Error>"


async def test_a_store_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await at(1).head("k")


async def test_a_store_that_never_answers_is_unavailable_in_time() -> None:
    with store(b"") as silent, pytest.raises(Unavailable):
        await asyncio.wait_for(silent.head("k"), 30)


@pytest.mark.parametrize("status", ["503 Slow Down", "500 Oops", "429 Too Many", "504 Late"])
async def test_a_busy_store_is_unavailable(status: str) -> None:
    with store(answer(status, error("SlowDown"))) as busy:
        for call in (busy.put("k", b"x"), busy.get("k", 10)):
            with pytest.raises(Unavailable):
                await call


async def test_half_an_answer_is_unavailable() -> None:
    with (
        store(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf") as broken,
        pytest.raises(Unavailable),
    ):
        await broken.get("k", 100)


async def test_an_error_that_comes_after_200_is_an_error() -> None:
    with store(answer("200 OK", error("InternalError"))) as late, pytest.raises(Unavailable):
        await late.complete_upload("k", "u", {1: "e"}, {1: b"d"})
    with store(answer("200 OK", error("InvalidPart"))) as late, pytest.raises(WrongParts):
        await late.complete_upload("k", "u", {1: "e"}, {1: b"d"})


async def test_refused_credentials_are_a_fault_and_nothing_to_try_again() -> None:
    with (
        store(answer("403 Forbidden", error("SignatureDoesNotMatch"))) as closed,
        pytest.raises(StoreFault, match="SignatureDoesNotMatch"),
    ):
        await closed.create_upload("k")


async def test_a_bucket_that_is_not_there_is_no_missing_upload() -> None:
    with store(answer("404 Not Found", error("NoSuchBucket"))) as empty, pytest.raises(StoreFault):
        await empty.list_parts("k", "u")
    with store(answer("404 Not Found", error("NoSuchUpload"))) as empty, pytest.raises(Missing):
        await empty.list_parts("k", "u")


async def test_no_more_is_read_than_was_asked_for() -> None:
    with store(answer("200 OK", "x" * 100_000)) as large:
        assert await large.get("k", 10) == b"x" * 10
