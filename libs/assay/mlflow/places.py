"""Where the files of a version lie, and how the source lists and serves them.

(1) `mlflow-artifacts:` is the source's own proxy; (2) the files of a logged model and (3) those of
a run are listed and served by the tracking server, wherever they are stored; (4) nothing else is.
"""

import posixpath
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assay.errors import Invalid
from assay.manifests import MAX_FILES, check_path, check_paths
from assay.mlflow.entities import SourceVersion
from assay.mlflow.faults import Absent, quoted, unusable
from assay.mlflow.reading import Reader, file_entries, root_uri
from assay.mlflow.source import Query, Source

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_RUNS = "runs:/"
_MAX_FOLDERS = 10_000
_MAX_DEPTH = 64
_List = Callable[[str], list[tuple[str, bool, int]]]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a version: where to ask for it, under which path it is kept, and its size."""

    path: str
    size_bytes: int
    address: str
    query: Query = ()


@dataclass(frozen=True, slots=True)
class _Tracked:
    """How the tracking server lists and serves the files of a run or logged model."""

    listing: str
    asking: Query
    folder_key: str
    address: str
    serving: Query
    is_served_whole: bool
    """Whether a file is asked for by its path in the run, or in the version."""


def files_of(reader: Reader, version: SourceVersion) -> list[SourceFile]:
    """Return the files of a version, sorted by path; none where the source serves none."""
    uri = reader.download_uri(version)
    try:
        found = list(_files(reader, version, uri))
    except Absent:
        return []
    try:
        if found:
            check_paths([file.path for file in found])
    except Invalid as error:
        raise unusable(f"{quoted(version.title)}: {error.message}") from None
    return sorted(found, key=lambda file: file.path)


def _files(reader: Reader, version: SourceVersion, uri: str) -> Iterator[SourceFile]:
    source = reader.source
    proxied = _proxied(source, uri)
    if proxied:
        for path, size in _walk(_proxy_list(source, proxied), version):
            yield SourceFile(path, size, f"{PROXY}/{proxied}/{path}")
        return
    for place in _tracked(version, uri):
        try:
            below = _below_root(place, source, uri)
        except Absent:
            continue  # a run or logged model that was deleted for good
        for path, size in _walk(_tracked_list(source, place, below), version):
            whole = "/".join(filter(None, [below, path])) if place.is_served_whole else path
            yield SourceFile(path, size, place.address, [*place.serving, ("path", whole)])
        return


def _proxied(source: Source, uri: str) -> str:
    """Return the path below the source's own proxy, empty where the files lie elsewhere."""
    try:
        parts = urllib.parse.urlsplit(uri)
    except ValueError:
        return ""
    path = parts.path
    if parts.scheme in {"http", "https"}:
        _, anchor, path = path.partition(f"{PROXY}/")
        if not anchor:
            return ""
    elif parts.scheme != "mlflow-artifacts":
        return ""
    if parts.netloc not in {"", source.host}:
        return ""
    return path.strip("/")


def _tracked(version: SourceVersion, uri: str) -> Iterator[_Tracked]:
    """Yield each way in which the tracking server may list and serve the files of a version."""
    if version.model_id:
        yield _Tracked(
            f"logged-models/{urllib.parse.quote(version.model_id, safe='')}/artifacts/directories",
            [],
            "artifact_directory_path",
            "/model-versions/get-artifact",
            [("name", version.model), ("version", str(version.number))],
            is_served_whole=False,
        )
    named = uri.removeprefix(_RUNS).lstrip("/").split("/")[0] if uri.startswith(_RUNS) else ""
    run = [("run_id", named or version.run_id)]
    if run[0][1]:
        yield _Tracked("artifacts/list", run, "path", "/get-artifact", run, is_served_whole=True)


def _below_root(place: _Tracked, source: Source, uri: str) -> str:
    """Return the folder of a version below what the server lists; raise Absent where it is not."""
    if uri.startswith(_RUNS):
        if not place.is_served_whole:
            raise Absent
        return uri.removeprefix(_RUNS).strip("/").partition("/")[2]
    root, whole = root_uri(source.get(place.listing, place.asking)).rstrip("/"), uri.rstrip("/")
    if not root or not f"{whole}/".startswith(f"{root}/"):
        raise Absent
    return whole.removeprefix(root).strip("/")


def _proxy_list(source: Source, root: str) -> _List:
    def ask(folder: str) -> list[tuple[str, bool, int]]:
        answer = source.get(PROXY, [("path", posixpath.join(root, folder) if folder else root)])
        return file_entries(answer)

    return ask


def _tracked_list(source: Source, place: _Tracked, root: str) -> _List:
    def ask(folder: str) -> list[tuple[str, bool, int]]:
        path = "/".join(filter(None, [root, folder]))
        more = [(place.folder_key, path)] if path else []
        answer = source.get(place.listing, [*place.asking, *more])
        return [
            (_below(path, entry), is_folder, size)
            for entry, is_folder, size in file_entries(answer)
        ]

    return ask


def _below(folder: str, path: str) -> str:
    """Return the name in `folder` that `path` ends with; leave what lies elsewhere as it is."""
    return path.removeprefix(f"{folder}/") if folder else path


def _walk(ask: _List, version: SourceVersion) -> Iterator[tuple[str, int]]:
    """Yield each file below a folder with its size; an end is put to what has none."""
    folders, asked, found = [""], 0, 0
    while folders:
        folder = folders.pop()
        asked += 1
        for name, is_folder, size in ask(folder):
            path = f"{folder}/{name}" if folder else name
            _check_entry(name, path, size, version)
            found += not is_folder
            if is_folder:
                folders.append(path)
            else:
                yield path, size
        is_endless = asked + len(folders) > _MAX_FOLDERS or folder.count("/") > _MAX_DEPTH
        if is_endless or found > MAX_FILES:
            raise unusable(
                f"{quoted(version.title)} has more than {MAX_FILES} files, or {_MAX_FOLDERS} "
                "folders: pack them."
            )


def _check_entry(name: str, path: str, size: int, version: SourceVersion) -> None:
    try:
        check_path(path)
    except Invalid as error:
        raise unusable(f"{quoted(version.title)}: {error.message}") from None
    if "/" in name or size < 0:
        raise unusable(
            f"{quoted(version.title)}: the source lists {quoted(name)} with {size} bytes; a file "
            "must have a name in its folder, and a size."
        )
