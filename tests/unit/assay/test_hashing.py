"""Digests of files, whole and in parts."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import hashing
from assay.errors import FailedPrecondition


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
def test_digests_are_those_of_the_whole_and_of_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(hashing, "MIN_PART_BYTES", 1024)
    monkeypatch.setattr(hashing, "_READ_BYTES", 100)
    data = os.urandom(size)
    file = tmp_path / "file"
    file.write_bytes(data)
    (found,) = hashing.digest_files([file])
    parts = [data[start : start + 1024] for start in range(0, size, 1024)]
    assert found.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert (found.size_bytes, found.part_size_bytes) == (size, 1024)
    wanted = tuple(hashlib.sha256(part).digest() for part in parts) if len(parts) > 1 else ()
    assert found.part_digests == wanted


def test_many_files_are_digested_in_their_order(tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(50)]
    for file in files:
        file.write_text(file.name)
    counted: list[int] = []
    found = hashing.digest_files(files, counted.append)
    assert [each.path for each in found] == files
    assert sum(counted) == sum(file.stat().st_size for file in files)


@given(st.integers(min_value=0, max_value=2**50))
def test_a_file_has_at_most_9000_parts_of_16_mib_doubled(size: int) -> None:
    part = hashing.part_size(size)
    assert part * 9000 >= size
    assert part == 16 * 1024 * 1024 or part // 2 * 9000 < size
    assert part.bit_count() == 1


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)

    def grow(_: int) -> None:
        with file.open("ab") as more:
            more.write(b"y")

    with pytest.raises(FailedPrecondition, match="changed meanwhile"):
        hashing.digest_files([file], grow)
