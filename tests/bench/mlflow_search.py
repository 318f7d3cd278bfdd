"""One model with 100,000 versions: searches of ours through gRPC, and of `mlflow server`."""

import asyncio
import http.client
import json
import queue
import random
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from assay.metadata.v1 import metadata_service_pb2 as api
from assay_serve.embedded import postgres
from tests.bench import mlflow, search_rows, search_server, stack
from tests.bench.harness import Bench, Call, Measure, Ratio, rate
from tests.bench.search_rows import DEEP_MODEL, DEEP_SPACE, Size
from tests.support.service import bearer

if TYPE_CHECKING:
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

_VERSIONS, _QUICK_VERSIONS = 100_000, 10_000
_CALLERS, _PAGE = 16, 50
_MODEL = DEEP_MODEL.rpartition("/")[2]
_INSERT_VERSIONS = """
INSERT INTO model_versions
(name, version, creation_time, last_updated_time, description, current_stage, source, status)
VALUES (?, ?, ?, ?, ?, 'None', ?, 'READY')
"""
_INSERT_TAGS = "INSERT INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)"


async def compare(bench: Bench, python: Path) -> list[Ratio]:
    """Let both search the same model: its newest versions, and those with a tag that 1 % have."""
    versions = _QUICK_VERSIONS if bench.is_quick else _VERSIONS
    folder = bench.scratch("mlflow-search")
    with (
        postgres.running(bench.scratch("deep-postgres")) as database,
        mlflow.serving(python, folder) as server,
    ):
        dsn, keys = database.url("metadata"), bench.scratch("deep-keys")
        last = await search_rows.load(dsn, Size(1, 0, versions), bench.say)
        peer = _Peer(server.url)
        peer.fill(folder, versions)
        with search_server.running(dsn, keys, last) as (address, _):
            async with stack.stubs(address) as stub:
                ours = _ours(stub, bearer(keys))
                found = await bench.interleave(_sides(bench, ours, peer))
    return _ratios(found, versions)


def _sides(bench: Bench, ours: Callable[[str], Call], peer: "_Peer") -> dict[str, Measure]:
    asked = {"newest": ("", ""), "tag": ("tags.cohort = 7", " AND tag.cohort = '7'")}
    sides = dict[str, Measure]()
    for name, (filter_, theirs) in asked.items():
        for callers in (1, _CALLERS):
            sides[f"ours {name} {callers}"] = _rate_of(ours(filter_), callers, bench.seconds)
            call = peer.search(f"name = '{_MODEL}'{theirs}")
            sides[f"theirs {name} {callers}"] = _rate_of(call, callers, bench.seconds * 2)
    return sides


def _ratios(found: dict[str, float], versions: int) -> list[Ratio]:
    said = {"newest": "newest versions of a model", "tag": "versions of a model by tag"}
    return [
        Ratio(
            f"{what} of {versions:,}, {callers} callers",
            found[f"ours {name} {callers}"],
            "/s",
            found[f"theirs {name} {callers}"],
            "/s, MLflow on sqlite",
            at_least=50,
        )
        for name, what in said.items()
        for callers in (1, _CALLERS)
    ]


def _rate_of(call: Call, callers: int, seconds: float) -> Measure:
    return lambda: rate(call, callers, seconds)


def _ours(
    stub: "Callable[[], MetadataServiceAsyncStub]", identity: stack.Identity
) -> Callable[[str], Call]:
    def searching(filter_: str) -> Call:
        request = api.SearchModelVersionsRequest(
            parent=DEEP_SPACE,
            filter=" AND ".join(filter(None, [f"model = {_MODEL}", filter_])),
            page_size=_PAGE,
        )

        async def search() -> None:
            answer = await stub().SearchModelVersions(request, metadata=identity, timeout=30)
            assert len(answer.model_versions) == _PAGE

        return search

    return searching


class _Peer:
    """Searches of a running `mlflow server`, over lasting connections."""

    def __init__(self, url: str) -> None:
        self._threads = ThreadPoolExecutor(_CALLERS)
        self._free: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()
        for _ in range(_CALLERS):
            self._free.put(http.client.HTTPConnection(url.removeprefix("http://")))

    def fill(self, folder: Path, versions: int) -> None:
        """Make the model, and put its versions into the database behind the server's back."""
        body = json.dumps({"name": _MODEL})
        self._call("POST", "registered-models/create", body)
        (path,) = folder.glob("*.db")
        database = sqlite3.connect(path)
        database.executemany(_INSERT_VERSIONS, _rows(versions))
        draw = random.Random(versions)
        tags = ((_MODEL, n, "cohort", str(draw.randrange(100))) for n in range(1, versions + 1))
        database.executemany(_INSERT_TAGS, tags)
        database.commit()
        database.execute("ANALYZE")
        database.close()

    def search(self, filter_: str) -> Call:
        """Return what reads the first page."""
        query = urllib.parse.urlencode({"filter": filter_, "max_results": _PAGE})
        path = f"model-versions/search?{query}"

        async def search() -> None:
            loop = asyncio.get_running_loop()
            text = await loop.run_in_executor(self._threads, self._call, "GET", path, "")
            assert len(json.loads(text)["model_versions"]) == _PAGE

        return search

    def _call(self, method: str, path: str, body: str) -> bytes:
        connection = self._free.get()
        try:
            status, text = mlflow.exchange(connection, method, path, body)
        finally:
            self._free.put(connection)
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"MLflow answered {status}: {text[:300]!r}.")
        return text


def _rows(versions: int) -> Iterator[tuple[object, ...]]:
    return (
        (_MODEL, number, number, number, "Trained again.", f"s3://models/{number}")
        for number in range(1, versions + 1)
    )
