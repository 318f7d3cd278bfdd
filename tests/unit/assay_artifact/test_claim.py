"""A claim must be sound in itself before anybody looks whether it is true."""

import pytest

from assay.artifact.v1.resources_pb2 import BlobClaim
from assay.error.v1.error_reason_pb2 import Reason
from assay_artifact.domain.claim import MAX_BLOB_BYTES, MAX_PARTS, MIN_PART_BYTES, parse, part_size
from assay_events.decider import Invalid
from assay_trust.errors import MalformedDigest
from tests.unit.assay_artifact.examples import claim, digest, message


def refusal(asked: BlobClaim) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse(asked)
    return caught.value


def test_a_small_blob_is_sent_as_one_put() -> None:
    assert claim("a", MIN_PART_BYTES).is_single
    assert claim("a", 0).is_single
    assert claim("a", 0).parts_digest == b""


def test_a_small_blob_may_leave_its_part_size_out() -> None:
    assert parse(BlobClaim(digest=digest("a"), size_bytes=1)).is_single


def test_a_large_blob_is_cut_into_parts_of_which_the_last_is_smaller() -> None:
    large = claim("a", MIN_PART_BYTES + 1, "xy")
    assert not large.is_single
    assert [large.size_of(number) for number in large.part_numbers] == [MIN_PART_BYTES, 1]


def test_a_last_part_may_be_whole() -> None:
    assert claim("a", 2 * MIN_PART_BYTES, "xy").size_of(2) == MIN_PART_BYTES


def test_parts_double_until_there_are_at_most_9000() -> None:
    assert part_size(MIN_PART_BYTES * MAX_PARTS) == MIN_PART_BYTES
    assert part_size(MIN_PART_BYTES * MAX_PARTS + 1) == 2 * MIN_PART_BYTES
    assert -(-MAX_BLOB_BYTES // part_size(MAX_BLOB_BYTES)) <= MAX_PARTS


@pytest.mark.parametrize(
    "asked",
    [
        message("a", -1),
        message("a", 5, "x"),
        message("a", MIN_PART_BYTES + 1),
        message("a", MIN_PART_BYTES + 1, "xyz"),
        BlobClaim(digest=digest("a"), size_bytes=5, part_size_bytes=1),
        BlobClaim(digest=digest("a"), size_bytes=MIN_PART_BYTES + 1, part_digests=[b"x" * 32] * 2),
        BlobClaim(
            digest=digest("a"),
            size_bytes=MIN_PART_BYTES + 1,
            part_size_bytes=MIN_PART_BYTES,
            part_digests=[b"x" * 32, b"short"],
        ),
    ],
)
def test_a_claim_that_no_blob_could_have_is_refused(asked: BlobClaim) -> None:
    assert refusal(asked).reason == Reason.REASON_MALFORMED


def test_a_blob_that_no_store_takes_is_refused() -> None:
    assert refusal(message("a", MAX_BLOB_BYTES + 1)).reason == Reason.REASON_TOO_LARGE


@pytest.mark.parametrize("text", ["", "abc", "sha256:ab", "md5:" + 64 * "0", "sha256:" + 64 * "A"])
def test_a_digest_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedDigest):
        parse(BlobClaim(digest=text, size_bytes=1))
