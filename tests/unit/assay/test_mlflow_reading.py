"""Walks over a source that lies, loops or escapes: each ends with a sentence."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from assay.mlflow import places, reading
from assay.mlflow.entities import SourceVersion
from assay.mlflow.faults import Unusable
from assay.mlflow.places import SourceFile, files_of
from assay.mlflow.reading import Reader
from assay.mlflow.source import Login, Source
from tests.support.http_between import Ask, Reply, answering

Told = Callable[[Ask], Mapping[str, object] | None]
ABSENT = Reply(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}')


@contextmanager
def reader(told: Told) -> Iterator[Reader]:
    """Give a reader of a source that tells what `told` returns, and has nothing else."""

    def answer(ask: Ask) -> Reply:
        body = told(ask)
        return ABSENT if body is None else Reply(body=json.dumps(body).encode())

    with answering(answer) as url:
        yield Reader(Source(url, Login(), first_delay_seconds=0.001))


def numbered(*numbers: int, model: str = "churn", **more: object) -> Mapping[str, object]:
    """Return a page of versions."""
    return {"model_versions": [{"name": model, "version": str(n), **more} for n in numbers]}


def test_a_list_of_models_that_never_ends_is_left() -> None:
    def told(_: Ask) -> Mapping[str, object]:
        return {"registered_models": [{"name": "churn"}], "next_page_token": "again"}

    with reader(told) as it, pytest.raises(Unusable, match="does not end"):
        list(it.model_names())


def test_each_model_is_read_once_though_pages_overlap() -> None:
    pages = {"": (["a", "b"], "2"), "2": (["b", "c"], "3"), "3": (["c", "d"], "")}

    def told(ask: Ask) -> Mapping[str, object]:
        names, token = pages[ask.query.get("page_token", "")]
        return {"registered_models": [{"name": n} for n in names], "next_page_token": token}

    with reader(told) as it:
        assert list(it.model_names()) == ["a", "b", "c", "d"]


def test_versions_are_asked_for_behind_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "VERSIONS_A_PAGE", 2)
    pages = {0: (1, 3), 3: (4, 7), 7: (8,)}

    def told(ask: Ask) -> Mapping[str, object]:
        assert ask.query["order_by"] == "version_number ASC"
        return numbered(*pages[int(ask.query["filter"].rpartition("> ")[2])])

    with reader(told) as it:
        assert [version.number for version in it.versions("churn")] == [1, 3, 4, 7, 8]


@pytest.mark.parametrize(
    "page",
    [numbered(2, 1), numbered(1, 1), {**numbered(1), "next_page_token": "more"}],
    ids=["falling", "twice", "the same page for ever"],
)
def test_versions_out_of_order_are_refused(page: Mapping[str, object]) -> None:
    with reader(lambda _: page) as it, pytest.raises(Unusable, match="by version number"):
        list(it.versions("churn"))


@pytest.mark.parametrize("name", ["it's", 'a "b"', "plain"])
def test_a_name_with_quotes_is_asked_for_in_the_other_quotes(name: str) -> None:
    asked = list[str]()

    def told(ask: Ask) -> Mapping[str, object]:
        asked.append(ask.query["filter"])
        return numbered(1, model=name)

    with reader(told) as it:
        assert [version.model for version in it.versions(name)] == [name]
    assert asked[0].split(" AND ")[0] in {f"name = '{name}'", f'name = "{name}"'}


def test_a_name_with_both_quotes_leaves_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "VERSIONS_A_PAGE", 2)
    name, like = "a'\"", 'ax"'

    def told(ask: Ask) -> Mapping[str, object]:
        assert ask.query["filter"].startswith("name LIKE 'a_\"' AND")
        after = int(ask.query["filter"].rpartition("> ")[2])
        rows = [(n, m) for n in range(after + 1, 4) for m in (like, name)][:2]
        return {"model_versions": [{"name": m, "version": str(n)} for n, m in rows]}

    with reader(told) as it:
        assert [version.number for version in it.versions(name)] == [1, 2, 3]


@pytest.mark.parametrize(
    "odd",
    [
        {"version": "0"},
        {"version": "99999999999"},
        {"version": "x"},
        {"version": True},
        {"version": None},
        {"description": 3},
        {"description": "\0"},
        {"description": "\ud800"},
        {"creation_timestamp": 2**63},
        {"creation_timestamp": "1e9"},
        {"tags": {"a": "b"}},
        {"tags": ["a"]},
        {"tags": [{"key": [], "value": "b"}]},
    ],
    ids=str,
)
def test_an_odd_version_is_refused_in_a_sentence(odd: Mapping[str, object]) -> None:
    page = {"model_versions": [{"name": "churn", "version": "1", **odd}]}
    with reader(lambda _: page) as it, pytest.raises(Unusable, match=r"The source sends .*must be"):
        list(it.versions("churn"))


def test_another_model_than_was_asked_for_is_refused() -> None:
    other = {"registered_model": {"name": "other"}}
    with reader(lambda _: other) as it, pytest.raises(Unusable, match="answers other for churn"):
        it.model("churn")


def listing(*entries: Mapping[str, object], uri: str = "mlflow-artifacts:/0/a") -> list[SourceFile]:
    """Return the files of a version whose only folder lists these entries."""

    def told(ask: Ask) -> Mapping[str, object] | None:
        if ask.path.endswith("get-download-uri"):
            return {"artifact_uri": uri}
        return {"files": list(entries)} if ask.path == places.PROXY else None

    with reader(told) as it:
        return files_of(it, SourceVersion("churn", 1))


def test_files_are_found_behind_the_proxy() -> None:
    (file,) = listing({"path": "a b", "is_dir": False, "file_size": "3"})
    assert (file.path, file.size_bytes, file.address) == ("a b", 3, f"{places.PROXY}/0/a/a b")


@pytest.mark.parametrize(
    "path",
    ["../x", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "a\nb", "C:\\x", "e\u0301"],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(Unusable, match="churn/1"):
        listing({"path": path, "file_size": 1})


@pytest.mark.parametrize("size", [-1, -(2**62)])
def test_a_negative_size_is_refused(size: int) -> None:
    with pytest.raises(Unusable, match="must have a name in its folder, and a size"):
        listing({"path": "a", "file_size": size})


def test_a_file_that_is_also_a_folder_is_refused() -> None:
    def told(ask: Ask) -> Mapping[str, object]:
        if ask.path.endswith("get-download-uri"):
            return {"artifact_uri": "mlflow-artifacts:/r"}
        if ask.query["path"] == "r":
            return {"files": [{"path": "a", "file_size": 1}, {"path": "a", "is_dir": True}]}
        return {"files": [{"path": "b", "file_size": 1}]}

    with reader(told) as it, pytest.raises(Unusable, match="a file and a folder"):
        files_of(it, SourceVersion("churn", 1))


def test_folders_in_folders_for_ever_are_left() -> None:
    with pytest.raises(Unusable, match="pack them"):
        listing({"path": "again", "is_dir": True})


def test_more_files_than_a_manifest_holds_are_refused() -> None:
    entries = [{"path": str(n), "file_size": 1} for n in range(10_001)]
    with pytest.raises(Unusable, match="more than 10000 files"):
        listing(*entries)


@pytest.mark.parametrize(
    "uri",
    ["s3://b/x", "/mnt/x", "file:///mnt/x", "", "mlflow-artifacts://other.example/x", "http://[",
     "https://other.example/api/2.0/mlflow-artifacts/artifacts/x", "http://other.example/x"],
)  # fmt: skip
def test_nobody_but_the_source_itself_is_asked_for_files(uri: str) -> None:
    assert listing({"path": "a", "file_size": 1}, uri=uri) == []


@pytest.mark.parametrize(
    ("version", "uri", "address", "query"),
    [
        (
            SourceVersion("churn", 1, model_id="m-1", run_id="gone"),
            "s3://b/files/model",
            "/model-versions/get-artifact",
            {"name": "churn", "version": "1", "path": "MLmodel"},
        ),
        (
            SourceVersion("churn", 1, model_id="m-gone", run_id="r1"),
            "s3://b/files/model",
            "/get-artifact",
            {"run_id": "r1", "path": "model/MLmodel"},
        ),
        (
            SourceVersion("churn", 1, run_id="gone"),
            "runs:/r1/model",
            "/get-artifact",
            {"run_id": "r1", "path": "model/MLmodel"},
        ),
    ],
    ids=["logged model", "run", "run by name"],
)
def test_files_elsewhere_are_served_through_the_tracking_server(
    version: SourceVersion, uri: str, address: str, query: Mapping[str, str]
) -> None:
    def told(ask: Ask) -> Mapping[str, object] | None:
        if ask.path.endswith("get-download-uri"):
            return {"artifact_uri": uri}
        is_there = ask.query.get("run_id") == "r1" or "/m-1/" in ask.path
        folder = ask.query.get("artifact_directory_path") or ask.query.get("path")
        found = [{"path": "model/MLmodel", "file_size": 7}] if folder == "model" else []
        return {"root_uri": "s3://b/files/", "files": found} if is_there else None

    with reader(told) as it:
        (file,) = files_of(it, version)
    assert (file.path, file.address, dict(file.query)) == ("MLmodel", address, query)


def test_a_root_that_only_begins_alike_is_not_taken() -> None:
    def told(ask: Ask) -> Mapping[str, object] | None:
        if ask.path.endswith("get-download-uri"):
            return {"artifact_uri": "s3://b/root-2/model"}
        return {"root_uri": "s3://b/root", "files": [{"path": "x", "file_size": 7}]}

    with reader(told) as it:
        assert files_of(it, SourceVersion("churn", 1, run_id="r1")) == []
