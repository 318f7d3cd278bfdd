"""Uploads: files go straight to the store under signed digests, then their manifest is committed.

(1) hash, one read; (2) ask which blobs are missing; (3) sign parts; (4) PUT to the store;
(5) have the blobs checked; (6) commit the manifest. Nothing is visible before (6).
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1 import resources_pb2 as artifact
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.errors import Aborted, AlreadyExists
from assay.hashing import Digested, changed, digest_files
from assay.progress import Advance, Listener, ignore
from assay.store import Overtaken, Store, WrongBytes

_BATCH_BLOBS = 1000
_BATCH_PARTS = 50_000
_SIGN_PARTS = 64
_MAX_ROUNDS = 5
_PARALLEL = 6


def upload(
    stub: ArtifactServiceStub,
    namespace: str,
    files: Mapping[str, Path],
    listen: Listener = ignore,
) -> artifact.Manifest:
    """Store `files`, by the path they get, and return their committed manifest.

    Args:
        stub: The artifact service.
        namespace: Resource name of the namespace.
        files: Where each file lies, by its path in the manifest.
        listen: Told of each advance, from several threads.

    Raises:
        FailedPrecondition: A file changed while it was read or sent (`FILE_CHANGED`).
        Unavailable: The service or the store stayed away.
    """
    digested = _hash(files, listen)
    blobs = {file.digest: file for file in digested.values()}
    sending = _Sending(stub, namespace, Advance("send", _bytes_of(blobs.values()), listen))
    for batch in _batches(list(blobs.values())):
        sending.send(batch)
    manifest = artifact.Manifest(
        files=[
            artifact.File(path=path, digest=file.digest, size_bytes=file.size_bytes)
            for path, file in digested.items()
        ]
    )
    request = api.CommitManifestRequest(parent=namespace, manifest=manifest)
    return stub.CommitManifest(request).manifest


def _hash(files: Mapping[str, Path], listen: Listener) -> dict[str, Digested]:
    total = sum(path.stat().st_size for path in files.values())
    digested = digest_files(list(files.values()), Advance("hash", total, listen))
    return dict(zip(files, digested, strict=True))


@dataclass(frozen=True, slots=True)
class _Piece:
    """One PUT: which bytes of which file, under which signature."""

    file: Digested
    start: int
    end: int
    signer: "_SingleSigner | _PartSigner"


class _Sending:
    """One upload under way."""

    def __init__(self, stub: ArtifactServiceStub, namespace: str, advance: Advance) -> None:
        self._stub = stub
        self._namespace = namespace
        self._advance = advance
        self._store = Store(_PARALLEL)

    def send(self, files: Sequence[Digested]) -> None:
        """Bring the bytes of `files` into the store and have them recorded."""
        overtaken = self._send(files, self._advance)
        for _ in range(_MAX_ROUNDS):
            if not overtaken:
                return
            overtaken = self._send(overtaken, lambda _: None)  # its bytes are counted already
        raise Aborted("Try again: others keep sending the same bytes.", reason="LOST_RACE")

    def _send(
        self, files: Sequence[Digested], advance: Callable[[int], None]
    ) -> Sequence[Digested]:
        """Send what is missing; return the files whose upload ended meanwhile without our doing."""
        request = api.BeginUploadRequest(
            parent=self._namespace, blobs=[_claim(file) for file in files]
        )
        plans = self._stub.BeginUpload(request).plans
        missing = [
            (file, plan)
            for file, plan in zip(files, plans, strict=True)
            if plan.state != artifact.BLOB_STATE_STORED
        ]
        pieces = [piece for file, plan in missing for piece in self._pieces(file, plan)]
        advance(_bytes_of(files) - sum(piece.end - piece.start for piece in pieces))
        overtaken: set[str] = set()

        def put(piece: _Piece) -> None:
            try:
                self._put(piece)
            except (Overtaken, AlreadyExists):
                overtaken.add(piece.file.digest)
            advance(piece.end - piece.start)

        _all(put, pieces)
        self._complete([file for file, _ in missing if file.digest not in overtaken])
        return [file for file, _ in missing if file.digest in overtaken]

    def _complete(self, files: Sequence[Digested]) -> None:
        if files:
            request = api.CompleteBlobsRequest(
                parent=self._namespace, blobs=[_claim(file) for file in files]
            )
            self._stub.CompleteBlobs(request, timeout=_patience(len(files)))

    def _pieces(self, file: Digested, plan: artifact.BlobPlan) -> Iterator[_Piece]:
        if plan.state == artifact.BLOB_STATE_SINGLE:
            single = _SingleSigner(self._stub, self._namespace, file, plan.put)
            yield _Piece(file, 0, file.size_bytes, single)
            return
        parts = _PartSigner(self._stub, self._namespace, file, tuple(plan.missing_parts))
        for number in plan.missing_parts:
            start = (number - 1) * file.part_size_bytes
            end = min(start + file.part_size_bytes, file.size_bytes)
            yield _Piece(file, start, end, parts)

    def _put(self, piece: _Piece) -> None:
        number = piece.start // piece.file.part_size_bytes + 1
        try:
            self._store.put(piece.signer.of(number), lambda: _read(piece))
        except WrongBytes as error:
            raise changed(piece.file.path) from error


@dataclass(frozen=True, slots=True)
class _OnePut:
    """The signature of one piece, as the store asks for it."""

    signed: Callable[[], artifact.SignedRequest]
    renewed: Callable[[], artifact.SignedRequest]


@dataclass(frozen=True, slots=True)
class _SingleSigner:
    """Signs the one PUT of a small blob."""

    stub: ArtifactServiceStub
    namespace: str
    file: Digested
    first: artifact.SignedRequest

    def of(self, _: int) -> _OnePut:
        """Return the signature of the whole blob."""
        return _OnePut(lambda: self.first, self._renew)

    def _renew(self) -> artifact.SignedRequest:
        request = api.BeginUploadRequest(parent=self.namespace, blobs=[_claim(self.file)])
        (plan,) = self.stub.BeginUpload(request).plans
        if plan.state != artifact.BLOB_STATE_SINGLE:
            raise Overtaken
        return plan.put


@dataclass(slots=True)
class _PartSigner:
    """Signs the parts of one large blob, some at a time, when they are about to be sent."""

    stub: ArtifactServiceStub
    namespace: str
    file: Digested
    missing: tuple[int, ...]
    _signed: dict[int, artifact.SignedRequest] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, number: int) -> _OnePut:
        """Return the signature of one part."""
        return _OnePut(lambda: self._sign(number), lambda: self._renew(number))

    def _sign(self, number: int) -> artifact.SignedRequest:
        with self._lock:
            if number not in self._signed:
                at = self.missing.index(number)
                self._ask(self.missing[at : at + _SIGN_PARTS])
            return self._signed[number]

    def _renew(self, number: int) -> artifact.SignedRequest:
        with self._lock:
            self._ask([number])
            return self._signed[number]

    def _ask(self, numbers: Sequence[int]) -> None:
        request = api.SignPartsRequest(
            parent=self.namespace, blob=_claim(self.file), part_numbers=numbers
        )
        self._signed.update(zip(numbers, self.stub.SignParts(request).puts, strict=True))


def _read(piece: _Piece) -> bytes:
    """Return the bytes of a piece; the file must still have them."""
    with piece.file.path.open("rb") as file:
        data = os.pread(file.fileno(), piece.end - piece.start, piece.start)
    if len(data) != piece.end - piece.start:
        raise changed(piece.file.path)
    return data


def _all(put: Callable[[_Piece], None], pieces: Sequence[_Piece]) -> None:
    """Send all pieces, several at a time; the first failure ends it."""
    with ThreadPoolExecutor(_PARALLEL, "assay-put") as pool:
        try:
            for _ in pool.map(put, pieces):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _batches(files: Sequence[Digested]) -> Iterator[Sequence[Digested]]:
    """Cut `files` into batches that fit one call, by number of blobs and of parts."""
    batch: list[Digested] = []
    parts = 0
    for file in files:
        count = len(file.part_digests)
        if batch and (len(batch) == _BATCH_BLOBS or parts + count > _BATCH_PARTS):
            yield batch
            batch, parts = [], 0
        batch.append(file)
        parts += count
    if batch:
        yield batch


def _claim(file: Digested) -> artifact.BlobClaim:
    return artifact.BlobClaim(
        digest=file.digest,
        size_bytes=file.size_bytes,
        part_size_bytes=file.part_size_bytes,
        part_digests=file.part_digests,
    )


def _bytes_of(files: Iterable[Digested]) -> int:
    return sum(file.size_bytes for file in files)


def _patience(blobs: int) -> float:
    """Return how many seconds the check of so many blobs may take."""
    return 60.0 + blobs
