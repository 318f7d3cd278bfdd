"""Which lists of files are a manifest, and its bytes."""

import pytest

from assay.artifact.v1.resources_pb2 import File
from assay.error.v1.error_reason_pb2 import Reason
from assay_artifact.domain.listing import from_bytes, listing
from assay_events.decider import Invalid
from assay_trust.errors import MalformedDigest
from tests.unit.assay_artifact.examples import digest, file


def refusal(*files: File) -> Invalid:
    with pytest.raises(Invalid) as caught:
        listing(files)
    assert caught.value.field == "manifest.files"
    return caught.value


def test_the_bytes_are_canonical_and_sorted_by_path() -> None:
    made = listing([file("b", "x", 2), file("a", "y", 1)])
    expected = (
        f'{{"files":[{{"digest":"{digest("y")}","path":"a","size_bytes":"1"}},'
        f'{{"digest":"{digest("x")}","path":"b","size_bytes":"2"}}],"v":"assay/manifest/v1"}}'
    )
    assert made.to_bytes().decode() == expected
    assert made.size_bytes == 3


def test_the_bytes_say_what_was_listed() -> None:
    made = listing([file("weights/é.onnx"), file('a "quoted" name')])
    assert from_bytes(made.to_bytes()) == made


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up",
        "a/../b",
        "a/./b",
        "./a",
        "..",
        ".",
        "a//b",
        "a/",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "a\\b",
        "..\\..\\windows",
        "e\u0301.onnx",
    ],
)
def test_a_path_that_leads_out_or_has_two_spellings_is_refused(path: str) -> None:
    assert refusal(file(path)).reason == Reason.REASON_MALFORMED


def test_a_path_is_not_empty() -> None:
    assert refusal(file("")).reason == Reason.REASON_REQUIRED


def test_a_path_has_at_most_1024_bytes() -> None:
    assert listing([file("é" * 512)]).entries
    assert refusal(file("é" * 512 + "a")).reason == Reason.REASON_TOO_LARGE


def test_a_path_is_listed_once() -> None:
    assert refusal(file("a"), file("b"), file("a")).reason == Reason.REASON_MALFORMED


def test_a_path_is_not_a_file_and_a_folder() -> None:
    assert refusal(file("a"), file("a/b")).reason == Reason.REASON_MALFORMED
    assert refusal(file("a/b/c/d"), file("a/b")).reason == Reason.REASON_MALFORMED
    assert listing([file("a"), file("ab/c"), file("a-b")]).entries


def test_a_manifest_lists_at_least_one_file_and_at_most_10000() -> None:
    assert refusal().reason == Reason.REASON_REQUIRED
    most = [file(f"shard-{number}") for number in range(10_000)]
    assert len(listing(most).entries) == 10_000
    assert refusal(*most, file("more")).reason == Reason.REASON_TOO_LARGE


def test_a_file_has_a_digest_and_a_size() -> None:
    with pytest.raises(MalformedDigest):
        listing([File(path="a", digest="nothing", size_bytes=1)])
    assert refusal(file("a", "x", -1)).reason == Reason.REASON_MALFORMED


def test_the_same_bytes_have_the_same_size() -> None:
    assert refusal(file("a", "x", 1), file("b", "x", 2)).reason == Reason.REASON_MALFORMED


def test_bytes_that_are_no_manifest_are_refused() -> None:
    for data in (
        b'{"files":[],"v":"assay/manifest/v2"}',
        b'{"files":["a"],"v":"assay/manifest/v1"}',
    ):
        with pytest.raises(ValueError, match="bytes"):
            from_bytes(data)
