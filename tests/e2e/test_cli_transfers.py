"""Files in and out through the real store, and what is refused on the way."""

import os
from pathlib import Path

import pytest

from assay.manifests import walk
from tests.e2e.conftest import Assay


def contents(folder: Path) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in walk(folder).items()}


@pytest.mark.parametrize("name", ["mail@home", "größe 中文 🙂", "a" * 250, "x&y=z?#%", "-dash"])
def test_a_model_of_any_name_comes_back_as_it_went(
    assay: Assay, model_folder: Path, tmp_path: Path, name: str
) -> None:
    assay.run("register", "--", name, str(model_folder))
    assay.run("alias", "set", "--", name, "best", "1")
    assay.run("pull", "--", f"{name}@best", str(tmp_path / "out"))
    assert contents(tmp_path / "out") == contents(model_folder)
    assay.run("pull", "--", f"{name}/1", str(tmp_path / "out"))  # nothing to do


def test_a_file_of_many_parts_comes_back_as_it_went(assay: Assay, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(40 * 1024 * 1024 + 1))
    assay.run("register", "big", str(big))
    assay.run("pull", "big/1", str(tmp_path / "out"))
    assert (tmp_path / "out" / "big.bin").read_bytes() == big.read_bytes()


def test_an_alias_is_meant_before_a_stage_of_the_same_name(
    assay: Assay, model_folder: Path
) -> None:
    assay.run("register", "both", str(model_folder))
    assay.run("register", "both", str(model_folder), "--description", "again")
    assay.run("stage", "set", "both", "live", "1")
    assert assay.json("show", "both@live")["model_version"]["number"] == "1"  # type: ignore[index]
    assay.run("alias", "set", "both", "live", "2")
    assert assay.json("show", "both@live")["model_version"]["number"] == "2"  # type: ignore[index]
    assay.run("alias", "unset", "both", "live")
    assay.run("stage", "unset", "both", "live")
    assert assay.refused("show", "both@live")["reason"] == "NOT_FOUND"


def test_a_changed_file_is_in_the_way_of_a_pull(
    assay: Assay, model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assay.run("register", "pulled", str(model_folder))
    assay.run("pull", "pulled/1", str(out))
    (out / "config.json").write_text("mine")
    assert assay.refused("pull", "pulled/1", str(out))["reason"] == "FILE_EXISTS"
    told = assay.run("pull", "pulled/1", str(out), status=1).stderr
    assert f"Next: assay pull --force pulled/1 {out}" in told
    assert (out / "config.json").read_text() == "mine"
    assay.run("pull", "pulled/1", str(out), "--force")
    assert contents(out) == contents(model_folder)


def test_what_cannot_be_registered_is_refused_before_anything_is_made(
    assay: Assay, tmp_path: Path, model_folder: Path
) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "passwd").symlink_to("/etc/passwd")
    for words, reason in (
        (("refused", str(empty)), "REQUIRED"),
        (("refused", str(tmp_path / "nowhere")), "INVALID_ARGUMENT"),
        (("refused", str(tmp_path / "linked")), "MALFORMED"),
        (("refused", str(model_folder), "--metric", "auc=nan"), "NOT_FINITE"),
        (("refused", str(model_folder), "--metric", "auc=inf"), "NOT_FINITE"),
        (("refused", str(model_folder), "--metric", "auc"), "MALFORMED"),
        (("a/b", str(model_folder)), "MALFORMED"),
        (("a:b", str(model_folder)), "MALFORMED"),
        (("a" * 251, str(model_folder)), "MALFORMED"),
        ((" ", str(model_folder)), "MALFORMED"),
    ):
        refusal = assay.refused("register", *words)
        assert (refusal["code"], refusal["reason"]) == ("INVALID_ARGUMENT", reason), words
    assert assay.refused("versions", "refused")["reason"] == "NOT_FOUND"
