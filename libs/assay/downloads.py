"""Downloads: the files of a manifest, verified as they arrive, never outside their folder."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1 import resources_pb2 as artifact
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.errors import AlreadyExists, DataLoss, Invalid
from assay.hashing import digest_files
from assay.manifests import Entry, check
from assay.names import ArtifactName, NamespaceName
from assay.progress import Advance, Listener, ignore
from assay.store import Store

_BATCH_BLOBS = 200
_PARALLEL = 4
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK})  # some file systems have none


def download(
    stub: ArtifactServiceStub,
    namespace: str,
    manifest_digest: str,
    directory: Path,
    *,
    force: bool = False,
    listen: Listener = ignore,
) -> artifact.Manifest:
    """Write the files of a manifest below `directory` and return the manifest.

    A file that is there already with the same bytes is left alone.

    Args:
        stub: The artifact service.
        namespace: Resource name of the namespace.
        manifest_digest: Digest of the manifest; the files listed must give exactly this digest.
        directory: Folder to write into; made where it is not there.
        force: Replace files that are there with other bytes.
        listen: Told of each advance, from several threads.

    Raises:
        AlreadyExists: A file with other bytes is in the way (`FILE_EXISTS`).
        DataLoss: What arrived is not what the manifest says (`DIGEST_MISMATCH`).
    """
    name = ArtifactName.of(NamespaceName.parse(namespace), manifest_digest)
    manifest = stub.GetManifest(api.GetManifestRequest(name=str(name))).manifest
    entries = [Entry(file.path, file.digest, file.size_bytes) for file in manifest.files]
    check(entries, manifest_digest)
    directory.mkdir(parents=True, exist_ok=True)
    places = [_place(directory, entry) for entry in entries]
    advance = Advance("receive", sum(entry.size_bytes for entry in entries), listen)
    missing = [place for place in places if not _is_there(place, advance, force=force)]
    receiving = _Receiving(stub, namespace, advance, force=force)
    for start in range(0, len(missing), _BATCH_BLOBS):
        receiving.receive(missing[start : start + _BATCH_BLOBS])
    return manifest


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one file of the manifest goes."""

    path: Path
    entry: Entry


def _place(directory: Path, entry: Entry) -> _Place:
    path = directory / entry.path
    # A link among the folders on the way could lead out, whatever the path says.
    if not path.parent.resolve().is_relative_to(directory.resolve()):
        raise Invalid(
            f"The path {entry.path!r} leads out of {directory} through a link.",
            reason="MALFORMED",
            metadata={"path": entry.path},
        )
    return _Place(path, entry)


def _is_there(place: _Place, advance: Advance, *, force: bool) -> bool:
    """Say whether the file is there with the right bytes; refuse other bytes unless forced."""
    if not os.path.lexists(place.path):
        return False
    if _has_bytes(place):
        advance(place.entry.size_bytes)
        return True
    if not force:
        raise _in_the_way(place.path)
    return False


def _has_bytes(place: _Place) -> bool:
    if place.path.is_symlink() or not place.path.is_file():
        return False
    if place.path.stat().st_size != place.entry.size_bytes:
        return False
    (found,) = digest_files([place.path])
    return found.digest == place.entry.digest


def _in_the_way(path: Path) -> AlreadyExists:
    return AlreadyExists(
        f"The file {path} is there with other bytes: choose another folder, or force it.",
        reason="FILE_EXISTS",
        metadata={"path": str(path)},
    )


class _Receiving:
    """One download under way."""

    def __init__(
        self, stub: ArtifactServiceStub, namespace: str, advance: Advance, *, force: bool
    ) -> None:
        self._stub = stub
        self._namespace = namespace
        self._advance = advance
        self._force = force
        self._store = Store(_PARALLEL)

    def receive(self, places: Sequence[_Place]) -> None:
        """Fetch the files of one batch, several at a time; the first failure ends it."""
        digests = sorted({place.entry.digest for place in places})
        signed = dict(zip(digests, self._sign(digests), strict=True))
        with ThreadPoolExecutor(_PARALLEL, "assay-get") as pool:
            try:
                fetched = pool.map(
                    lambda place: self._fetch(place, signed[place.entry.digest]), places
                )
                for _ in fetched:
                    pass
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _sign(self, digests: Sequence[str]) -> Sequence[artifact.SignedRequest]:
        request = api.SignDownloadsRequest(parent=self._namespace, digests=digests)
        return self._stub.SignDownloads(request).gets

    def _fetch(self, place: _Place, signed: artifact.SignedRequest) -> None:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        signer = _GetSigner(lambda: signed, lambda: self._sign([place.entry.digest])[0])
        with _Incoming.open(place, self._advance) as incoming:
            self._store.get(signer, incoming)
            incoming.finish(force=self._force)


@dataclass(frozen=True, slots=True)
class _GetSigner:
    signed: Callable[[], artifact.SignedRequest]
    renewed: Callable[[], artifact.SignedRequest]


class _Incoming:
    """A file on its way in: hashed as it is written, and put in place only when it is right."""

    def __init__(self, place: _Place, file: BinaryIO, advance: Advance) -> None:
        self.position = 0
        self._place = place
        self._file = file
        self._advance = advance
        self._hash = hashlib.sha256()

    @classmethod
    def open(cls, place: _Place, advance: Advance) -> Self:
        """Return an empty file beside the place."""
        descriptor, name = tempfile.mkstemp(dir=place.path.parent, prefix=".assay-")
        incoming = cls(place, os.fdopen(descriptor, "wb"), advance)
        incoming.temporary = Path(name)
        return incoming

    temporary: Path

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; refuse more than the manifest says."""
        self.position += len(chunk)
        if self.position > self._place.entry.size_bytes:
            raise self._wrong()
        self._hash.update(chunk)
        self._file.write(chunk)
        self._advance(len(chunk))

    def restart(self) -> None:
        """Forget all bytes so far."""
        self._advance(-self.position)
        self.position = 0
        self._hash = hashlib.sha256()
        self._file.seek(0)
        self._file.truncate()

    def finish(self, *, force: bool) -> None:
        """Put the file in place if it is what the manifest says."""
        entry = self._place.entry
        if self.position != entry.size_bytes or f"sha256:{self._hash.hexdigest()}" != entry.digest:
            raise self._wrong()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.temporary.chmod(0o644)
        try:
            if force:
                self.temporary.replace(self._place.path)
            else:
                self._place.path.hardlink_to(self.temporary)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.EISDIR}:
                raise _in_the_way(self._place.path) from error
            if error.errno not in _NO_LINKS:
                raise
            self.temporary.replace(self._place.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.temporary.unlink(missing_ok=True)

    def _wrong(self) -> DataLoss:
        return DataLoss(
            f"The bytes that arrived for {self._place.entry.path!r} are not those of the manifest.",
            reason="DIGEST_MISMATCH",
            metadata={"path": self._place.entry.path, "digest": self._place.entry.digest},
        )
