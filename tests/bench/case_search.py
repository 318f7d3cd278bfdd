"""Searches of a large namespace, through the query function and through gRPC, beside MLflow."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import SearchModelVersionsRequest
from assay.names import NamespaceName, VersionName
from assay_metadata.queries import search, versions
from assay_serve.embedded import postgres
from assay_serve.postgres import Snapshot, open_pool
from tests.bench import mlflow_search, search_rows, search_server, stack
from tests.bench.harness import Bench, Ratio
from tests.bench.machine import memory_mib
from tests.bench.search_asks import ASKS, Ask
from tests.bench.search_rows import SPACE, Size
from tests.bench.search_times import Times
from tests.support.service import bearer

if TYPE_CHECKING:
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

QUICK = Size(1_000, 20_000)
USUAL = Size(10_000, 100_000)
LONG = Size(10_000, 1_000_000)
BAR_MS = 20.0
_PAGES, _SIZE = 1_000, 50
_BATCH = 1_000
_OVER_GRPC = ("tag, 1 %", "metric, 1 %", "tag 1 % and metric 1 %", "text, 1 %")


async def run(bench: Bench) -> list[Ratio]:
    """Make the read model, then ask it, one query after the other."""
    size = QUICK if bench.is_quick else LONG if bench.is_long else USUAL
    with postgres.running(bench.scratch("postgres")) as database:
        dsn, begun = database.url("metadata"), time.monotonic()
        last = await search_rows.load(dsn, size, bench.say)
        bench.say(f"  {size.versions:,} versions made in {time.monotonic() - begun:.0f} s")
        ratios = await queries(bench, dsn, size, last)
        ratios += await _over_grpc(bench, dsn, last)
    if bench.mlflow is not None:
        ratios += await mlflow_search.compare(bench, bench.mlflow)
    return ratios


async def queries(bench: Bench, dsn: str, size: Size, last: int) -> list[Ratio]:
    """Time each kind of query: page 1 and page 1,000 now, and page 1 as of half of the time."""
    pool = await open_pool(dsn, "metadata")
    ratios = list[Ratio]()
    async with pool.acquire() as db:
        pid = db.get_server_pid()
        for name, ask in ASKS.items():
            asked = _Asked(db, ask, size, last)
            now, then, far = Times(pid), Times(pid), Times(pid)
            if ask.pages:
                await asked.go_to_page(_PAGES)
            until = time.monotonic() + bench.seconds * 4
            while not now.is_enough and (time.monotonic() < until or len(now.taken) < 5):
                await now.time(asked.page_one)
                await then.time(asked.page_one_of_then)
                if ask.pages:
                    await far.time(asked.page_far)
            bench.say(f"  {name}: {now}; page 1,000 {far}; as_of {then}")
            ratios += _ratios(name, now, far, then)
        ratios.append(await _batch_get(bench, db, size, last))
    pool.terminate()
    return ratios


@dataclass(slots=True)
class _Asked:
    """Asks one kind of query through the query function."""

    db: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
    ask: Ask
    size: Size
    last: int
    draw: random.Random = field(default_factory=lambda: random.Random(1))
    far: SearchModelVersionsRequest = field(default_factory=SearchModelVersionsRequest)

    async def page_one(self) -> None:
        """Read page 1, now."""
        await self._read(self.ask.request(self.draw), self.last)

    async def page_one_of_then(self) -> None:
        """Read page 1 as of the middle of the registrations."""
        await self._read(self.ask.request(self.draw), self.last // 2)

    async def page_far(self) -> None:
        """Read the far page, now."""
        await self._read(self.far, self.last)

    async def go_to_page(self, number: int) -> None:
        """Let the far page be page `number`, or the last one that there is."""
        self.far = self.ask.request(self.draw)
        size = max(self.size.versions // 100_000, 1)
        left = (number - 1) * size
        while left > 0:
            self.far.page_size = min(left, 1_000)
            _, token, _ = await self._read(self.far, self.last)
            if not token:
                break
            left -= self.far.page_size
            self.far.page_token = token
        self.far.page_size = size

    async def _read(
        self, request: SearchModelVersionsRequest, revision: int
    ) -> tuple[Sequence[object], str, int]:
        request.page_size = request.page_size or _SIZE
        async with self.db.transaction(isolation="repeatable_read", readonly=True):
            parent = NamespaceName.parse(SPACE)
            return await search.version_page(Snapshot(self.db, revision, ""), parent, request)


async def _batch_get(
    bench: Bench,
    db: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
    size: Size,
    last: int,
) -> Ratio:
    draw, times = random.Random(2), Times(db.get_server_pid())
    for _ in range(20):
        names = [_any_version(draw, size) for _ in range(_BATCH)]
        await times.time(lambda: versions.many(Snapshot(db, last, ""), names))  # noqa: B023
    bench.say(f"  BatchGet of {_BATCH:,}: {times}")
    return Ratio(f"BatchGet of {_BATCH:,} versions, p50", times.at(0.5), "ms")


def _any_version(draw: random.Random, size: Size) -> VersionName:
    model = f"model-{draw.randrange(size.models):06}"
    return VersionName("wide", model, draw.randint(1, size.versions // size.models))


async def _over_grpc(bench: Bench, dsn: str, last: int) -> list[Ratio]:
    keys = bench.scratch("keys")
    with search_server.running(dsn, keys, last) as (address, pid):
        async with stack.stubs(address) as stub:
            ratios = [
                await _call(bench, name, ASKS[name], stub(), bearer(keys)) for name in _OVER_GRPC
            ]
        ratios.append(Ratio("memory of the service afterwards", memory_mib([pid]), "MiB"))
    return ratios


async def _call(
    bench: Bench,
    name: str,
    ask: Ask,
    stub: "MetadataServiceAsyncStub",
    identity: stack.Identity,
) -> Ratio:
    """Time a query through gRPC, alone."""
    draw, times = random.Random(3), Times()
    until = time.monotonic() + bench.seconds * 2
    while not times.is_enough and (time.monotonic() < until or len(times.taken) < 5):
        request = ask.request(draw)
        await times.time(
            lambda: stub.SearchModelVersions(request, metadata=identity, timeout=30)  # noqa: B023
        )
    bench.say(f"  {name}, gRPC: {times}")
    return _within(f"{name}, page 1, through gRPC", times)


def _ratios(name: str, now: Times, far: Times, then: Times) -> list[Ratio]:
    ratios = [_within(f"{name}, page 1", now)]
    if far.taken:
        ratios.append(_within(f"{name}, page 1,000", far))
    ours, limit = then.at(0.5), now.at(0.5)
    what = f"{name}, page 1, as of half of the time ago: p50"
    return [*ratios, Ratio(what, ours, "ms", limit, "ms, now", at_most=2)]


def _within(what: str, times: Times) -> Ratio:
    return Ratio(f"{what}: p99", times.at(0.99), "ms", BAR_MS, "ms", at_most=1)
