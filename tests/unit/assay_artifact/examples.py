"""Claims and events that the tests of artifacts share."""

from hashlib import sha256

from assay.artifact.v1.resources_pb2 import BlobClaim, File
from assay_artifact.domain.claim import MIN_PART_BYTES, Claim, parse

NAMESPACE = "namespaces/default"


def digest(text: str) -> str:
    """Return a digest that stands for some bytes."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def name(text: str) -> str:
    """Return the name of the blob with the digest that stands for some bytes."""
    return f"{NAMESPACE}/artifacts/{digest(text).replace(':', '-')}"


def message(text: str, size_bytes: int, parts: str = "") -> BlobClaim:
    """Return a claim whose parts are told apart by the letters of `parts`."""
    return BlobClaim(
        digest=digest(text),
        size_bytes=size_bytes,
        part_size_bytes=MIN_PART_BYTES,
        part_digests=[sha256(letter.encode()).digest() for letter in parts],
    )


def claim(text: str, size_bytes: int, parts: str = "") -> Claim:
    """Return the parsed claim."""
    return parse(message(text, size_bytes, parts))


def file(path: str, text: str = "w", size_bytes: int = 3) -> File:
    """Return a file of a manifest."""
    return File(path=path, digest=digest(text), size_bytes=size_bytes)
