"""Paths of files in a manifest: one spelling each, below one folder, on any system."""

import unicodedata
from collections.abc import Iterator, Sequence

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid

MAX_FILES = 10_000
MAX_PATH_BYTES = 1024
_FIELD = "manifest.files"
_INVISIBLE = frozenset({"Cc", "Cs"})


def check_paths(paths: Sequence[str]) -> None:
    """Refuse paths that no folder could hold together, or that lead out of it."""
    if not paths:
        raise Invalid(Reason.REASON_REQUIRED, "Give at least one file.", _FIELD)
    if len(paths) > MAX_FILES:
        message = f"Pack the files: {len(paths)} are more than {MAX_FILES}."
        raise Invalid(Reason.REASON_TOO_LARGE, message, _FIELD)
    for path in paths:
        _check(path)
    known = set(paths)
    if len(known) < len(paths):
        raise _malformed("Name each file once: two paths are the same.")
    for path in paths:
        both = next((folder for folder in _folders(path) if folder in known), "")
        if both:
            raise _malformed(f"Rename {both!r}: it is a file and a folder.")


def _check(path: str) -> None:
    if not path:
        raise Invalid(Reason.REASON_REQUIRED, "Give each file a path.", _FIELD)
    if len(path.encode(errors="surrogatepass")) > MAX_PATH_BYTES:
        message = f"Shorten the path that begins with {path[:64]!r} to {MAX_PATH_BYTES} bytes."
        raise Invalid(Reason.REASON_TOO_LARGE, message, _FIELD)
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise _malformed(f"Write {path!r} as a path below the folder, without '.' and '..'.")
    if any(unicodedata.category(character) in _INVISIBLE for character in path):
        raise _malformed(f"Leave control characters out of the path {path!r}.")
    if "\\" in path:
        raise _malformed(f"Write the path {path!r} with / and not with \\.")
    if not unicodedata.is_normalized("NFC", path):
        raise _malformed(f"Write the path {path!r} in the Unicode form NFC.")


def _folders(path: str) -> Iterator[str]:
    """Yield each folder above `path`."""
    end = path.find("/")
    while end > 0:
        yield path[:end]
        end = path.find("/", end + 1)


def _malformed(message: str) -> Invalid:
    return Invalid(Reason.REASON_MALFORMED, message, _FIELD)
