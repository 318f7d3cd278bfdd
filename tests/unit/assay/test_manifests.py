"""Manifests: one spelling, and no way out of the folder."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import manifests
from assay.errors import Invalid
from assay.manifests import Entry
from assay_trust import canonical

DIGEST = "sha256:" + "a" * 64


def test_the_bytes_of_a_manifest_are_canonical_json_sorted_by_path() -> None:
    entries = [Entry("b", DIGEST, 2), Entry("a/c", DIGEST, 1)]
    assert manifests.encode(entries) == (
        b'{"files":[{"digest":"%b","path":"a/c","size_bytes":"1"},'
        b'{"digest":"%b","path":"b","size_bytes":"2"}],"v":"assay/manifest/v1"}'
    ) % (DIGEST.encode(), DIGEST.encode())


def test_ten_thousand_files_fit_a_manifest_and_one_more_does_not() -> None:
    entries = [Entry(f"shard-{number:05}.safetensors", DIGEST, 1) for number in range(10_000)]
    data = manifests.encode(entries)
    assert canonical.decode(data, manifests.MAX_MANIFEST_BYTES)
    with pytest.raises(Invalid) as refusal:
        manifests.encode([*entries, Entry("more", DIGEST, 1)])
    assert refusal.value.reason == "TOO_LARGE"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/./b",
        "../a",
        "a/..",
        "a\0b",
        "a\nb",
        "a\\b",
        "e\u0301",
        "x" * 1025,
    ],
)
def test_a_path_without_one_spelling_below_the_folder_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        manifests.check_path(path)


@given(st.text(max_size=40))
def test_a_path_that_is_accepted_stays_below_its_folder(path: str) -> None:
    try:
        manifests.check_path(path)
    except Invalid:
        return
    root = "/models/folder"
    assert os.path.normpath(f"{root}/{path}") == f"{root}/{path}"


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"], []])
def test_paths_that_no_folder_can_hold_together_are_refused(paths: list[str]) -> None:
    with pytest.raises(Invalid):
        manifests.check_paths(paths)


def test_a_single_file_gets_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.touch()
    assert manifests.walk(file) == {"model.onnx": file}


def test_files_below_a_folder_are_found_at_any_depth(tmp_path: Path) -> None:
    for name in ("b", "a/c", "a/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(manifests.walk(tmp_path)) == ["a/.hidden", "a/c", "b"]


def test_a_name_in_decomposed_form_is_composed(tmp_path: Path) -> None:
    (tmp_path / "e\u0301").touch()
    assert list(manifests.walk(tmp_path)) == ["\u00e9"]


def test_two_names_of_one_spelling_are_refused(tmp_path: Path) -> None:
    (tmp_path / "e\u0301").touch()
    (tmp_path / "\u00e9").touch()
    with pytest.raises(Invalid, match="Name each file once"):
        manifests.walk(tmp_path)


def test_a_link_within_the_folder_is_followed_and_one_out_of_it_refused(tmp_path: Path) -> None:
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "real").write_text("x")
    (inside / "link").symlink_to("real")
    assert list(manifests.walk(inside)) == ["link", "real"]
    (tmp_path / "secret").touch()
    (inside / "out").symlink_to("../secret")
    with pytest.raises(Invalid, match="must not be a link out"):
        manifests.walk(inside)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="empty"):
        manifests.walk(tmp_path)
    with pytest.raises(Invalid, match="There is no file"):
        manifests.walk(tmp_path / "nowhere")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(Invalid, match="regular file"):
        manifests.walk(tmp_path)
    (tmp_path / "dangling").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Invalid, match="regular file"):
        manifests.walk(tmp_path)
    (tmp_path / "pipe").unlink()
    (tmp_path / "folder").symlink_to(tmp_path.parent)
    with pytest.raises(Invalid, match="link to a folder"):
        manifests.walk(tmp_path)
