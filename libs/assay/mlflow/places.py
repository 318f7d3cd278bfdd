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
_SERVE = "/model-versions/get-artifact"
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
    for endpoint, query, key in _listings(version):
        root = root_uri(source.get(endpoint, query)).rstrip("/")
        below = uri.rstrip("/").removeprefix(root).strip("/")
        if not root or not f"{uri.rstrip('/')}/".startswith(f"{root}/"):
            continue
        for path, size in _walk(_tracked_list(source, endpoint, query, key, below), version):
            name = [("name", version.model), ("version", str(version.number)), ("path", path)]
            yield SourceFile(path, size, _SERVE, name)
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


def _listings(version: SourceVersion) -> Iterator[tuple[str, Query, str]]:
    """Yield each way in which the tracking server may list the files of a version."""
    if version.model_id:
        model_id = urllib.parse.quote(version.model_id, safe="")
        yield f"logged-models/{model_id}/artifacts/directories", (), "artifact_directory_path"
    if version.run_id:
        yield "artifacts/list", [("run_id", version.run_id)], "path"


def _proxy_list(source: Source, root: str) -> _List:
    def ask(folder: str) -> list[tuple[str, bool, int]]:
        answer = source.get(PROXY, [("path", posixpath.join(root, folder) if folder else root)])
        return file_entries(answer)

    return ask


def _tracked_list(source: Source, endpoint: str, query: Query, key: str, root: str) -> _List:
    def ask(folder: str) -> list[tuple[str, bool, int]]:
        path = "/".join(filter(None, [root, folder]))
        answer = source.get(endpoint, [*query, *([(key, path)] if path else [])])
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
