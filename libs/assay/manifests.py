"""Manifests: which files a version is, and the canonical bytes whose digest names the whole."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from assay.errors import DataLoss, Invalid
from assay_trust import canonical, digests

FORM = "assay/manifest/v1"
MAX_FILES = 10_000
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_MAX_PATH_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a manifest."""

    path: str
    digest: str
    size_bytes: int


def encode(entries: Iterable[Entry]) -> bytes:
    """Return the canonical bytes of the manifest with these files.

    Example:
        >>> encode([Entry("model.onnx", "sha256:" + 64 * "0", 3)])[:39]
        b'{"files":[{"digest":"sha256:00000000000'
    """
    ordered = sorted(entries, key=lambda entry: entry.path)
    check_paths([entry.path for entry in ordered])
    files: list[Mapping[str, str]] = [
        {"digest": entry.digest, "path": entry.path, "size_bytes": str(entry.size_bytes)}
        for entry in ordered
    ]
    return canonical.encode({"files": files, "v": FORM}, MAX_MANIFEST_BYTES)


def digest(entries: Iterable[Entry]) -> str:
    """Return the digest that names the manifest with these files."""
    return digests.sha256(encode(entries))


def check(entries: Sequence[Entry], wanted_digest: str) -> None:
    """Refuse files that are not those of the manifest `wanted_digest`."""
    if digest(entries) != wanted_digest:
        raise DataLoss(
            "The files that the server lists are not those of the manifest that was asked for.",
            reason="DIGEST_MISMATCH",
            metadata={"manifest_digest": wanted_digest},
        )


def check_paths(paths: Sequence[str]) -> None:
    """Refuse paths that no folder could hold, or that lead out of it."""
    if not paths:
        raise Invalid("Give at least one file: the folder is empty.", reason="REQUIRED")
    if len(paths) > MAX_FILES:
        raise Invalid(
            f"Pack the files: {len(paths)} are more than {MAX_FILES}.", reason="TOO_LARGE"
        )
    seen = set(paths)
    if len(seen) != len(paths):
        raise Invalid("Name each file once: two paths are the same.", reason="MALFORMED")
    for path in paths:
        check_path(path)
        above = next((str(p) for p in PurePosixPath(path).parents if str(p) in seen), "")
        if above:
            raise Invalid(f"The path {above!r} is a file and a folder.", reason="MALFORMED")


def check_path(path: str) -> str:
    """Return `path` if it lies below a folder and has one spelling.

    Example:
        >>> check_path("weights/model.onnx")
        'weights/model.onnx'
        >>> check_path("../secrets")
        Traceback (most recent call last):
        ...
        assay.errors.Invalid: The path '../secrets' must lie below the folder, without '.' and '..'.
    """
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise _bad_path(path, "must lie below the folder, without '.' and '..'")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in path):
        raise _bad_path(path, "must not contain control characters")
    if "\\" in path:
        raise _bad_path(path, "must be written with / and not with \\")
    if len(path.encode()) > _MAX_PATH_BYTES:
        raise _bad_path(path, f"must have at most {_MAX_PATH_BYTES} bytes")
    if not unicodedata.is_normalized("NFC", path):
        raise _bad_path(path, "must be in the Unicode form NFC")
    return path


def walk(root: Path) -> dict[str, Path]:
    """Return the files of a model by the path they get: one file, or all below a folder."""
    if not root.exists():
        raise Invalid(f"There is no file or folder {root}.", metadata={"path": str(root)})
    pairs = [(root.name, root)] if root.is_file() else list(_below(root))
    paths = [unicodedata.normalize("NFC", path) for path, _ in pairs]
    check_paths(paths)
    return dict(sorted(zip(paths, (file for _, file in pairs), strict=True)))


def _below(root: Path) -> Iterator[tuple[str, Path]]:
    inside = root.resolve()
    for folder, folders, files in os.walk(root, onerror=_refuse):
        for name in folders:
            if Path(folder, name).is_symlink():
                raise _bad_path(str(Path(folder, name)), "must not be a link to a folder")
        for name in files:
            file = Path(folder, name)
            if not file.resolve().is_relative_to(inside):
                raise _bad_path(str(file), "must not be a link out of the folder")
            if not file.exists() or not stat.S_ISREG(file.stat().st_mode):
                raise _bad_path(str(file), "must be a regular file")
            yield file.relative_to(root).as_posix(), file


def _refuse(error: OSError) -> None:
    raise Invalid(f"The folder {error.filename} cannot be read: {error.strerror}.") from error


def _bad_path(path: str, rule: str) -> Invalid:
    return Invalid(f"The path {path!r} {rule}.", reason="MALFORMED", metadata={"path": path})
