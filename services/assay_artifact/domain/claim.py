"""What a client says of a blob that it has: its digest, its size, and the digests of its parts."""

from dataclasses import dataclass
from hashlib import sha256

from assay.artifact.v1.resources_pb2 import BlobClaim
from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid
from assay_trust import digests

MIN_PART_BYTES = 16 * 1024 * 1024
MAX_PARTS = 9_000
MAX_BLOB_BYTES = 5 * 1024**4  # what S3 takes as one object
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that is sound in itself; `part_digests` is empty for a blob of one part."""

    digest: str
    size_bytes: int
    part_digests: tuple[bytes, ...] = ()

    @property
    def sha256(self) -> bytes:
        """The claimed digest of the whole, raw."""
        return digests.parse(self.digest)

    @property
    def is_single(self) -> bool:
        """Whether it is sent as one PUT."""
        return not self.part_digests

    @property
    def part_size_bytes(self) -> int:
        """Size of each part but the last."""
        return part_size(self.size_bytes)

    @property
    def parts_digest(self) -> bytes:
        """SHA-256 over the digests of the parts, empty for a blob of one part."""
        return b"" if self.is_single else sha256(b"".join(self.part_digests)).digest()

    @property
    def part_numbers(self) -> range:
        """The numbers of its parts, from 1."""
        return range(1, len(self.part_digests) + 1)

    def size_of(self, number: int) -> int:
        """Return the size of one part."""
        last = self.size_bytes - self.part_size_bytes * (len(self.part_digests) - 1)
        return last if number == len(self.part_digests) else self.part_size_bytes


def part_size(size_bytes: int) -> int:
    """Return the size of the parts of a blob: 16 MiB, doubled until there are at most 9,000."""
    size = MIN_PART_BYTES
    while size * MAX_PARTS < size_bytes:
        size *= 2
    return size


def parse(claim: BlobClaim, field: str = "blobs") -> Claim:
    """Return the claim that a message makes; refuse one that no blob could have."""
    digests.parse(claim.digest)
    size = claim.size_bytes
    if size < 0:
        raise _invalid(claim, f"Give a size of 0 or more; it is {size}.", field)
    if size > MAX_BLOB_BYTES:
        message = f"Split the file {claim.digest}: {size} bytes are more than {MAX_BLOB_BYTES}."
        raise Invalid(Reason.REASON_TOO_LARGE, message, field)
    wanted_size = part_size(size)
    is_single = size <= wanted_size
    if claim.part_size_bytes != wanted_size and not (is_single and claim.part_size_bytes == 0):
        raise _invalid(claim, f"Cut {size} bytes into parts of {wanted_size} bytes.", field)
    wanted_count = 0 if is_single else -(-size // wanted_size)
    if len(claim.part_digests) != wanted_count:
        raise _invalid(claim, f"Give {wanted_count} part digests for {size} bytes.", field)
    if any(len(digest) != _DIGEST_BYTES for digest in claim.part_digests):
        raise _invalid(claim, f"Give each part digest as {_DIGEST_BYTES} raw bytes.", field)
    return Claim(claim.digest, size, tuple(claim.part_digests))


def _invalid(claim: BlobClaim, message: str, field: str) -> Invalid:
    return Invalid(Reason.REASON_MALFORMED, f"{message} ({claim.digest})", field)
