"""What the service needs of an object store; the bytes of blobs never pass through here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Missing(Exception):
    """The store has no such object or upload: completed, aborted, or never begun."""


class Occupied(Exception):
    """There is an object at the key already."""


class WrongParts(Exception):
    """The store has other parts than those that it was told to put together."""


class StoreFault(Exception):
    """The store refused something that it should not: wrong credentials, no bucket, another API."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request that its holder may send until `expire_time`, with exactly these headers."""

    url: str
    headers: Mapping[str, str]
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload; `sha256` is empty where the store does not list it."""

    size_bytes: int
    etag: str
    sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Head:
    """What the store says of an object; `checksum` is its SHA-256, as S3 writes it."""

    size_bytes: int
    etag: str
    checksum: str


class BlobStore(Protocol):
    """An object store that checks SHA-256 itself; calls end in time, if need be as Unavailable."""

    def sign_put(self, key: str, sha256: bytes, size_bytes: int) -> Signed:
        """Return the PUT of an object with exactly these bytes."""
        ...

    def sign_part(
        self, key: str, upload_id: str, number: int, sha256: bytes, size_bytes: int
    ) -> Signed:
        """Return the PUT of one part with exactly these bytes."""
        ...

    def sign_get(self, key: str) -> Signed:
        """Return the GET of an object."""
        ...

    async def create_upload(self, key: str) -> str:
        """Open an upload by parts; return its id."""
        ...

    async def list_parts(self, key: str, upload_id: str) -> Mapping[int, Part]:
        """Return the parts that are there, by number; raise Missing where the upload is gone."""
        ...

    async def complete_upload(
        self, key: str, upload_id: str, etags: Mapping[int, str], digests: Mapping[int, bytes]
    ) -> None:
        """Make an object of the parts; raise Missing, Occupied or WrongParts."""
        ...

    async def abort_upload(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts."""
        ...

    async def head(self, key: str) -> Head:
        """Return what the store says of an object; raise Missing where it has none."""
        ...

    async def put(self, key: str, data: bytes) -> None:
        """Store a small object; the store checks its digest."""
        ...

    async def get(self, key: str, max_bytes: int) -> bytes:
        """Return the first `max_bytes` of a small object; raise Missing where there is none."""
        ...
