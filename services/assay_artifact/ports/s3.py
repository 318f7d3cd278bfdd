"""The object store over S3: signed URLs, for clients and for our own few calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus

from assay_artifact.ports import checksums, s3_xml
from assay_artifact.ports.blob_store import (
    Head,
    Missing,
    Occupied,
    Part,
    Signed,
    StoreFault,
    WrongParts,
)
from assay_artifact.ports.presign import Credentials, Unsigned, presign
from assay_artifact.ports.transport import Answer, Transport
from assay_events.errors import Unavailable

URL_SECONDS = 15 * 60
_OWN_URL_SECONDS = 60
_COMPLETE_SECONDS = 60.0  # S3 keeps the line open while it puts thousands of parts together
_CHECKSUM = "x-amz-checksum-sha256"
_PARTS_A_PAGE = 1000
_WRONG_PARTS = frozenset(
    {"InvalidPart", "InvalidPartOrder", "BadDigest", "EntityTooSmall", "InvalidRequest"}
)
_OCCUPIED = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT})


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket, and who may use it; `url` is where clients reach the store too."""

    url: str
    name: str
    credentials: Credentials


class S3:
    """A BlobStore in one bucket of any S3 that checks SHA-256."""

    def __init__(self, bucket: Bucket, transport: Transport | None = None) -> None:
        """Use `bucket`; nothing is asked of the store yet."""
        self._bucket = bucket
        self._transport = transport or Transport()

    def sign_put(self, key: str, sha256: bytes, size_bytes: int) -> Signed:
        """Return the PUT of an object with exactly these bytes."""
        return self._signed("PUT", key, {}, _exactly(sha256, size_bytes))

    def sign_part(
        self, key: str, upload_id: str, number: int, sha256: bytes, size_bytes: int
    ) -> Signed:
        """Return the PUT of one part with exactly these bytes."""
        query = {"partNumber": str(number), "uploadId": upload_id}
        return self._signed("PUT", key, query, _exactly(sha256, size_bytes))

    def sign_get(self, key: str) -> Signed:
        """Return the GET of an object."""
        return self._signed("GET", key, {}, {})

    async def create_upload(self, key: str) -> str:
        """Open an upload by parts; return its id."""
        headers = {"x-amz-checksum-algorithm": "SHA256"}
        answer = await self._send("POST", key, {"uploads": ""}, headers)
        return s3_xml.upload_id(_good(answer).body)

    async def list_parts(self, key: str, upload_id: str) -> Mapping[int, Part]:
        """Return the parts that are there, by number; raise Missing where the upload is gone."""
        parts: dict[int, Part] = {}
        marker = "0"
        while marker:
            query = {
                "uploadId": upload_id,
                "max-parts": str(_PARTS_A_PAGE),
                "part-number-marker": marker,
            }
            answer = _good(_found(await self._send("GET", key, query, {}), "NoSuchUpload"))
            page, marker = s3_xml.parts(answer.body)
            parts |= page
        return parts

    async def complete_upload(
        self, key: str, upload_id: str, etags: Mapping[int, str], digests: Mapping[int, bytes]
    ) -> None:
        """Make an object of the parts; raise Missing, Occupied or WrongParts."""
        body = s3_xml.completion(etags, digests)
        headers = {"if-none-match": "*"}
        answer = await self._send(
            "POST", key, {"uploadId": upload_id}, headers, body, seconds=_COMPLETE_SECONDS
        )
        answer = _found(answer, "NoSuchUpload")
        if answer.status in _OCCUPIED:
            raise Occupied(key)
        if answer.code in _WRONG_PARTS:
            raise WrongParts(f"{answer.code} for {key}")
        _good(answer)

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts."""
        answer = await self._send("DELETE", key, {"uploadId": upload_id}, {})
        if answer.status != HTTPStatus.NOT_FOUND:
            _good(answer)

    async def head(self, key: str) -> Head:
        """Return what the store says of an object; raise Missing where it has none."""
        answer = await self._send("HEAD", key, {}, {"x-amz-checksum-mode": "ENABLED"})
        if answer.status == HTTPStatus.NOT_FOUND:
            raise Missing(key)
        headers = _good(answer).headers
        return Head(
            size_bytes=int(headers.get("content-length", "-1")),
            etag=headers.get("etag", "").strip('"'),
            checksum=headers.get(_CHECKSUM, ""),
        )

    async def put(self, key: str, data: bytes) -> None:
        """Store a small object; the store checks its digest."""
        headers = _exactly(sha256(data).digest(), len(data))
        _good(await self._send("PUT", key, {}, headers, data))

    async def get(self, key: str, max_bytes: int) -> bytes:
        """Return the first `max_bytes` of a small object; raise Missing where there is none."""
        answer = await self._send("GET", key, {}, {}, max_bytes=max_bytes)
        return _good(_found(answer, "NoSuchKey")).body

    async def _send(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        seconds: float = 0.0,
        max_bytes: int = 0,
    ) -> Answer:
        url = self._url(method, key, query, headers, datetime.now(UTC), _OWN_URL_SECONDS)
        return await self._transport.send(
            method, url, headers, body, seconds=seconds, max_bytes=max_bytes
        )

    def _signed(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Signed:
        now = datetime.now(UTC)
        url = self._url(method, key, query, headers, now, URL_SECONDS)
        return Signed(url, headers, now + timedelta(seconds=URL_SECONDS))

    def _url(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        now: datetime,
        valid_seconds: int,
    ) -> str:
        # A key is made of names and digests: it needs no quoting.
        url = f"{self._bucket.url}/{self._bucket.name}/{key}"
        request = Unsigned(method, url, query, headers)
        return presign(self._bucket.credentials, request, now, valid_seconds)


def _exactly(sha256: bytes, size_bytes: int) -> dict[str, str]:
    return {"content-length": str(size_bytes), _CHECKSUM: checksums.of_whole(sha256)}


def _found(answer: Answer, code: str) -> Answer:
    if answer.code == code:
        raise Missing(code)
    return answer


def _good(answer: Answer) -> Answer:
    """Return the answer if the store did as it was asked."""
    if answer.is_good:
        return answer
    if answer.is_busy:
        raise Unavailable("Try again: the object store is busy.")
    raise StoreFault(f"The object store answered {answer.status} {answer.code}.")
