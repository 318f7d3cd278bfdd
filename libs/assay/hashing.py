"""Digests of files: of the whole and of its parts, in one read."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assay.errors import FailedPrecondition

MIN_PART_BYTES = 16 * 1024 * 1024
MAX_PARTS = 9000
_READ_BYTES = 4 * 1024 * 1024
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Digested:
    """A file and what its bytes were when they were read.

    Attributes:
        digest: SHA-256 of the whole file, as `sha256:HEX`.
        part_digests: Raw SHA-256 of each part, in order; empty for a file of one part.
    """

    path: Path
    digest: str
    size_bytes: int
    part_size_bytes: int
    part_digests: tuple[bytes, ...]


def part_size(size_bytes: int) -> int:
    """Return the size of the parts of a file: 16 MiB, doubled until there are at most 9,000.

    Example:
        >>> part_size(1) == part_size(9000 * 16 * 1024 * 1024) == 16 * 1024 * 1024
        True
        >>> part_size(9000 * 16 * 1024 * 1024 + 1) == 32 * 1024 * 1024
        True
    """
    size = MIN_PART_BYTES
    while size * MAX_PARTS < size_bytes:
        size *= 2
    return size


def digest_files(
    paths: Sequence[Path], advance: Callable[[int], None] = lambda _: None
) -> list[Digested]:
    """Return the digests of all files, read by several threads; `advance` counts the bytes."""
    with (
        ThreadPoolExecutor(_THREADS, "assay-hash") as readers,
        ThreadPoolExecutor(_THREADS, "assay-part") as parts,
    ):
        return list(readers.map(lambda path: _digest(path, parts, advance), paths))


def _digest(path: Path, parts: ThreadPoolExecutor, advance: Callable[[int], None]) -> Digested:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        size = part_size(before.st_size)
        whole, digests = hashlib.sha256(), []
        for chunks in _parts(file.fileno(), before.st_size, size):
            part = hashlib.sha256()
            for chunk in chunks:
                # hashlib lets go of the interpreter: whole and part are hashed side by side.
                beside = parts.submit(part.update, chunk)
                whole.update(chunk)
                beside.result()
                advance(len(chunk))
            digests.append(part.digest())
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed(path)
    return Digested(
        path,
        f"sha256:{whole.hexdigest()}",
        before.st_size,
        size,
        tuple(digests) if len(digests) > 1 else (),
    )


def _parts(descriptor: int, total: int, size: int) -> Iterator[Iterator[bytes]]:
    for start in range(0, total, size):
        yield _chunks(descriptor, start, min(start + size, total))


def _chunks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    position = start
    while position < end:
        chunk = os.pread(descriptor, min(_READ_BYTES, end - position), position)
        if not chunk:
            return  # it was cut short meanwhile, which its size then shows
        position += len(chunk)
        yield chunk


def changed(path: Path) -> FailedPrecondition:
    """Return the refusal of a file that changed while it was read or sent."""
    return FailedPrecondition(
        f"The file {path} changed meanwhile: try again when nothing writes to it.",
        reason="FILE_CHANGED",
        metadata={"path": str(path)},
    )
