"""Digests have one spelling."""

import pytest

from assay_trust import digests
from assay_trust.errors import MalformedDigest

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_is_written_with_its_algorithm() -> None:
    assert digests.sha256(b"") == f"sha256:{EMPTY}"


def test_parse_undoes_sha256() -> None:
    assert digests.parse(digests.sha256(b"weights")) == digests.sha256_raw(b"weights")


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY,
        f"sha256:{EMPTY.upper()}",
        f"sha256:{EMPTY}\n",
        f" sha256:{EMPTY}",
        "sha256:",
        f"SHA256:{EMPTY}",
    ],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(MalformedDigest):
        digests.parse(text)


def test_a_digest_of_another_length_is_refused() -> None:
    with pytest.raises(MalformedDigest):
        digests.to_text(b"\0" * 31)
