"""How S3 writes SHA-256 checksums."""

import base64
import binascii


def of_whole(sha256: bytes) -> str:
    """Return the checksum of an object, or a part, that was sent whole."""
    return base64.b64encode(sha256).decode()


def of_parts(parts_digest: bytes, part_count: int) -> str:
    """Return the checksum of an object of parts: over their digests, with their number."""
    return f"{of_whole(parts_digest)}-{part_count}"


def parse_whole(text: str) -> bytes:
    """Return the digest that a checksum writes down, empty for anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
