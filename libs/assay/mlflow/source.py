"""One MLflow server over REST: who we are to it, patience with it, and bounds on what it sends."""

import json
import random
import time
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from assay.mlflow.faults import Absent, SourceFailed, quoted, unusable

API = "/api/2.0/mlflow/"
MAX_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_MAX_ATTEMPTS = 6
_MAX_WAIT_SECONDS = 30.0
_CHUNK_BYTES = 1024 * 1024
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_Taken = TypeVar("_Taken")
Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to the source: a token, or a name and a password, or nobody."""

    username: str = ""
    password: str = ""
    token: str = ""

    def headers(self) -> dict[str, str]:
        """Return the header that says so."""
        if self.token:
            return {"authorization": f"Bearer {self.token}"}
        if self.username:
            pair = f"{self.username}:{self.password}".encode()
            return {"authorization": f"Basic {b64encode(pair).decode()}"}
        return {}


class Source:
    """An MLflow server that is read and never written.

    Attributes:
        base: Its address, without credentials. Example: http://127.0.0.1:5000.
        name: What imported things say of where they came from. Example: mlflow:http://127.0.0.1:5000.
    """

    def __init__(
        self, uri: str, login: Login, ca_file: str = "", first_delay_seconds: float = 0.2
    ) -> None:
        self.base, in_uri = _parse(uri)
        self.name = f"mlflow:{self.base}"
        self._headers = {"accept-encoding": "identity", **(in_uri or login).headers()}
        self._first_delay_seconds = first_delay_seconds
        self._pool = urllib3.PoolManager(
            maxsize=16,
            retries=False,
            timeout=urllib3.Timeout(connect=10.0, read=120.0),
            cert_reqs="CERT_REQUIRED",
            ca_certs=ca_file or None,
        )

    @property
    def host(self) -> str:
        """Its host and port, as they stand in its address."""
        return urllib.parse.urlsplit(self.base).netloc

    def get(self, path: str, query: Query = ()) -> Mapping[str, object]:
        """Return the JSON object that the registry answers; `path` is below its API, or whole."""
        whole = path if path.startswith("/") else API + path
        body = self._persist(whole, query, _small_body)
        try:
            answer: object = json.loads(body)
        except (ValueError, RecursionError):
            raise self._no_mlflow(whole) from None
        if not isinstance(answer, dict):
            raise self._no_mlflow(whole)
        return answer

    def download(
        self,
        path: str,
        query: Query,
        size_bytes: int,
        restart: Callable[[], Callable[[bytes], object]],
    ) -> None:
        """Give the bytes of a file to what `restart` returns, anew for each attempt."""

        def take(response: urllib3.BaseHTTPResponse) -> None:
            write, left = restart(), size_bytes
            for chunk in response.stream(_CHUNK_BYTES, decode_content=True):
                left -= len(chunk)
                if left < 0:
                    raise unusable(f"The source sends more of {quoted(path)} than it lists.")
                write(chunk)
            if left:
                raise _Again(f"it ended {left} bytes too early")

        self._persist(path, query, take)

    def _persist(
        self, path: str, query: Query, take: Callable[[urllib3.BaseHTTPResponse], _Taken]
    ) -> _Taken:
        """Ask until there is a whole answer, it is final, or it was asked often enough."""
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                return self._ask(path, query, take)
            except SSLError as error:
                raise _failed(
                    f"{self.base} is not trusted over TLS ({quoted(str(error))}): mend its "
                    "address, or give --ca-file with who signed its certificate."
                ) from error
            except (_Again, HTTPError) as error:
                if attempt == _MAX_ATTEMPTS:
                    raise _away(self.base, path, error) from error
                time.sleep(self._delay_seconds(attempt, error))
        raise AssertionError

    def _ask(
        self, path: str, query: Query, take: Callable[[urllib3.BaseHTTPResponse], _Taken]
    ) -> _Taken:
        url = f"{self.base}{urllib.parse.quote(path)}"
        if query:
            url += f"?{urllib.parse.urlencode(query)}"
        response = self._pool.request(
            "GET", url, headers=self._headers, preload_content=False, redirect=False
        )
        try:
            self._check(response)
            return take(response)
        finally:
            response.close()

    def _check(self, response: urllib3.BaseHTTPResponse) -> None:
        """Raise what a bad status means."""
        status = response.status
        if status == HTTPStatus.OK:
            return
        if status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Again(f"it answers {status}", _wanted_seconds(response))
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise _failed(
                f"{self.base} refuses us ({status}): give --token, or --username and a password, "
                "of somebody who may read its registry."
            )
        code, message = _refusal(response)
        if status == HTTPStatus.NOT_FOUND and code not in {"", "ENDPOINT_NOT_FOUND"}:
            raise Absent(message)
        if status == HTTPStatus.BAD_REQUEST and code:
            raise unusable(f"The source refuses a question: {quoted(message)}")
        raise self._no_mlflow(response.url or "")

    def _no_mlflow(self, path: str) -> SourceFailed:
        return _failed(
            f"{self.base} does not answer {quoted(path.removeprefix(self.base))} like an MLflow "
            "server: give the address of one."
        )

    def _delay_seconds(self, attempt: int, error: Exception) -> float:
        backoff = self._first_delay_seconds * 2.0 ** (attempt - 1)
        wanted = error.wanted_seconds if isinstance(error, _Again) else 0.0
        longest = min(max(backoff, wanted), _MAX_WAIT_SECONDS)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


class _Again(Exception):
    """The source may answer the same question soon."""

    def __init__(self, why: str, wanted_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.wanted_seconds = wanted_seconds


def _parse(uri: str) -> tuple[str, Login | None]:
    """Return an address without credentials, and the credentials that stood in it."""
    try:
        parts = urllib.parse.urlsplit(uri.strip())
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
        port = parts.port
    except ValueError:
        is_address, port, parts = False, None, urllib.parse.urlsplit("")
    if not is_address or parts.query or parts.fragment:
        raise _failed("Give the http or https address of an MLflow server as URI.")
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    if not parts.username:
        return base, None
    unquote = urllib.parse.unquote
    return base, Login(unquote(parts.username), unquote(parts.password or ""))


def _small_body(response: urllib3.BaseHTTPResponse) -> bytes:
    chunks, total = list[bytes](), 0
    for chunk in response.stream(_CHUNK_BYTES, decode_content=True):
        total += len(chunk)
        if total > MAX_ANSWER_BYTES:
            raise unusable(f"The source answers with more than {MAX_ANSWER_BYTES} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _refusal(response: urllib3.BaseHTTPResponse) -> tuple[str, str]:
    """Return MLflow's error code and message, empty where the answer holds none."""
    try:
        body: object = json.loads(response.read(_MAX_ERROR_BYTES) or b"")
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return str(body.get("error_code", "")), str(body.get("message", ""))


def _wanted_seconds(response: urllib3.BaseHTTPResponse) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0  # noqa: PLR2004 - a day


def _failed(message: str) -> SourceFailed:
    return SourceFailed(message, reason="SOURCE_FAILED")


def _away(base: str, path: str, error: Exception) -> SourceFailed:
    why = str(error) if isinstance(error, _Again) else type(error).__name__
    return SourceFailed(
        f"{base} cannot be read now ({quoted(path)}: {why}): run it again later, and it goes on.",
        reason="SOURCE_UNAVAILABLE",
    )
