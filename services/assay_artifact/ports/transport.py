"""HTTP to the object store: from threads, bounded in number and in time, without retries."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

import urllib3

from assay_artifact.ports import s3_xml
from assay_events.errors import Unavailable

CONNECTIONS = 16
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
_MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
_BUSY = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_BUSY_CODES = frozenset({"InternalError", "ServiceUnavailable", "SlowDown"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store answered; `code` is S3's name of the error, empty for none."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    code: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the store did as it was asked: S3 may say 200 first and find the error later."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES and not self.code

    @property
    def is_busy(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _BUSY or self.code in _BUSY_CODES


class Transport:
    """Connections to the store, one a thread."""

    def __init__(
        self, connect_seconds: float = CONNECT_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """Open no connection yet; an answer may take `answer_seconds` if a call does not say."""
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._threads = ThreadPoolExecutor(CONNECTIONS, "assay-store")
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, block=True, retries=False)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        seconds: float = 0.0,
        max_bytes: int = 0,
    ) -> Answer:
        """Return the answer to one request; raise Unavailable when it does not come in time."""
        limit = seconds or self._answer_seconds
        call = asyncio.get_running_loop().run_in_executor(
            self._threads, self._send, method, url, headers, body, limit, max_bytes
        )
        try:
            async with asyncio.timeout(self._connect_seconds + limit):
                return await call
        except (urllib3.exceptions.HTTPError, TimeoutError) as error:
            raise Unavailable("Try again: the object store does not answer.") from error

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float,
        max_bytes: int,
    ) -> Answer:
        response = self._pool.request(
            method,
            url,
            body=body or None,
            headers=headers,
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=self._connect_seconds, read=seconds),
        )
        is_object = max_bytes > 0 and response.status < HTTPStatus.MULTIPLE_CHOICES
        try:
            content = _read(response, max_bytes if is_object else _MAX_DOCUMENT_BYTES)
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()
        named = {name.lower(): value for name, value in response.headers.items()}
        code = "" if is_object else s3_xml.error_code(content)
        return Answer(response.status, named, content, code)


def _read(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    """Return the body up to `max_bytes`; only reading on to its end shows whether it came whole."""
    content = bytearray()
    while len(content) < max_bytes:
        chunk = response.read(max_bytes - len(content), decode_content=False)
        if not chunk:
            return bytes(content)
        content += chunk
    response.close()  # there may be more, which nobody wants
    return bytes(content)
