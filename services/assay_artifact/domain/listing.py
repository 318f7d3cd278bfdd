"""A manifest's bytes: the canonical JSON of its files, whose digest names the whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assay.artifact.v1.resources_pb2 import File
from assay.error.v1.error_reason_pb2 import Reason
from assay_artifact.domain.paths import check_paths
from assay_events.decider import Invalid
from assay_trust import canonical, digests

FORM = "assay/manifest/v1"
MAX_LISTING_BYTES = 16 * 1024 * 1024
_FIELD = "manifest.files"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: where it goes, and what it must be."""

    path: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a manifest, sorted by path."""

    entries: tuple[Entry, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size_bytes for entry in self.entries)

    def to_bytes(self) -> bytes:
        """Return the one spelling of the listing."""
        files: list[Mapping[str, str]] = [
            {"digest": entry.digest, "path": entry.path, "size_bytes": str(entry.size_bytes)}
            for entry in self.entries
        ]
        return canonical.encode({"files": files, "v": FORM}, MAX_LISTING_BYTES)


def listing(files: Iterable[File]) -> Listing:
    """Return the listing of the files of a message; refuse what no folder could hold."""
    entries = [Entry(file.path, file.digest, file.size_bytes) for file in files]
    check_paths([entry.path for entry in entries])
    sizes: dict[str, int] = {}
    for entry in entries:
        digests.parse(entry.digest)
        if entry.size_bytes < 0:
            message = f"Give {entry.path!r} a size of 0 or more; it is {entry.size_bytes}."
            raise Invalid(Reason.REASON_MALFORMED, message, _FIELD)
        if sizes.setdefault(entry.digest, entry.size_bytes) != entry.size_bytes:
            message = f"Give all files of {entry.digest} the same size."
            raise Invalid(Reason.REASON_MALFORMED, message, _FIELD)
    return Listing(tuple(sorted(entries, key=lambda entry: entry.path)))


def from_bytes(data: bytes) -> Listing:
    """Return the listing that `data` spells; `data` is known to be what was committed."""
    match canonical.decode(data, MAX_LISTING_BYTES):
        case {"files": [*files], "v": "assay/manifest/v1"}:
            return Listing(tuple(_entry(file) for file in files))
        case _:
            raise ValueError("The bytes are not a manifest of the form assay/manifest/v1.")


def _entry(value: canonical.Value) -> Entry:
    match value:
        case {"digest": str(digest), "path": str(path), "size_bytes": str(size)}:
            return Entry(path, digest, int(size))
        case _:
            raise ValueError("The bytes list a file without digest, path or size.")
