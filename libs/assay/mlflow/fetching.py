"""The files of a version on their way: downloaded to a folder of their own, stored, gone."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay import manifests
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.errors import FailedPrecondition
from assay.hashing import digest_files
from assay.manifests import Entry
from assay.mlflow import mlmodel
from assay.mlflow.entities import SourceVersion
from assay.mlflow.faults import Absent, SourceFailed, quoted, unusable
from assay.mlflow.places import SourceFile, files_of
from assay.mlflow.reading import Reader
from assay.mlflow.translating import Files
from assay.uploads import upload

_SPARE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of a version as they were downloaded; no entries where the source serves none."""

    files: Files
    entries: Sequence[Entry] = ()


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Brings files from the source into the store, one version at a time in each thread.

    Attributes:
        allow_missing: Files that the source cannot read are left where they lie.
    """

    reader: Reader
    stub: ArtifactServiceStub
    namespace: str
    allow_missing: bool = False
    count: Callable[[int], None] = field(default=lambda _: None)

    def store(self, version: SourceVersion) -> Fetched:
        """Store the files of a version and return what they are."""
        try:
            with self._downloaded(version) as paths:
                if not paths:
                    return Fetched(Files(claims={"files": "not served by the source"}))
                manifest = upload(self.stub, self.namespace, paths)
                entries = [Entry(f.path, f.digest, f.size_bytes) for f in manifest.files]
                manifests.check(entries, manifest.manifest_digest)
                return Fetched(_files(manifest.manifest_digest, paths), entries)
        except SourceFailed as error:
            if not self.allow_missing or error.reason != "SOURCE_UNAVAILABLE":
                raise _named(error, version) from error
            return Fetched(Files(claims={"files": "not readable in the source"}))

    def digests(self, version: SourceVersion) -> Sequence[Entry]:
        """Download the files of a version and return what they are, without storing them."""
        with self._downloaded(version) as paths:
            digested = digest_files(list(paths.values()))
            return [
                Entry(path, file.digest, file.size_bytes)
                for path, file in zip(paths, digested, strict=True)
            ]

    @contextmanager
    def _downloaded(self, version: SourceVersion) -> Iterator[Mapping[str, Path]]:
        """Give the files of a version by their paths, as long as they are wanted."""
        found = files_of(self.reader, version)
        with tempfile.TemporaryDirectory(prefix="assay-import-") as folder:
            _check_space(Path(folder), found, version)
            # Files are numbered: no name that the source sends is used on this disk.
            paths = {file.path: Path(folder, str(n)) for n, file in enumerate(found)}
            for file in found:
                self._download(file, paths[file.path])
            yield paths

    def _download(self, file: SourceFile, path: Path) -> None:
        with path.open("wb") as target:

            def restart() -> Callable[[bytes], object]:
                target.seek(0)
                target.truncate()
                return target.write

            try:
                self.reader.source.download(file.address, file.query, file.size_bytes, restart)
            except Absent:
                raise unusable(
                    f"The source lists {quoted(file.path)} and does not have it."
                ) from None
        self.count(file.size_bytes)


def _files(manifest_digest: str, paths: Mapping[str, Path]) -> Files:
    if mlmodel.NAME not in paths:
        return Files(manifest_digest)
    told = mlmodel.read(paths[mlmodel.NAME])
    return Files(manifest_digest, told.format, told.signature, told.claims)


def _check_space(folder: Path, files: Sequence[SourceFile], version: SourceVersion) -> None:
    """Refuse what would fill the disk, before a byte of it is asked for."""
    needed, free = sum(file.size_bytes for file in files), shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise FailedPrecondition(
            f"Set TMPDIR to a folder with {needed} bytes to spare: the files of "
            f"{quoted(version.title)} have as many, and {folder.parent} has {free}.",
            reason="NO_SPACE",
        )


def _named(error: SourceFailed, version: SourceVersion) -> SourceFailed:
    """Return the failure with the version that could not be read, and the way round it."""
    if error.reason != "SOURCE_UNAVAILABLE":
        return error
    return SourceFailed(
        f"The files of {quoted(version.title)} cannot be read: {error.message} Or leave such files "
        "where they lie, with --allow-missing-files.",
        reason=error.reason,
    )
