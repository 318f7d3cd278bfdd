"""Get by alias and register a version, against the raw query and against `mlflow server`."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay_events.projection import OPEN
from assay_metadata.queries.versions import OF_TARGET
from assay_serve.embedded import postgres
from tests.bench import mlflow, stack
from tests.bench.harness import Bench, Call, Measure, Ratio, p50_ms, rate
from tests.bench.stack import Stack

if TYPE_CHECKING:
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

_MODELS, _CALLERS = 200, 16
_ON_ONE = "register on one model"
_NAMES = [f"bench-{number:03}" for number in range(_MODELS)]
_ALIASES = [f"namespaces/default/models/{name}/aliases/champion" for name in _NAMES]


async def run(bench: Bench) -> list[Ratio]:
    """Run all servers at once; the calls take turns."""
    async with AsyncExitStack() as opened:
        peers: dict[str, mlflow.Registry] = {}
        if bench.mlflow is not None:
            peers = _start_peers(bench, bench.mlflow, opened)
        running = opened.enter_context(stack.running(bench.scratch("stack")))
        stub = await opened.enter_async_context(stack.stubs(running.endpoints["metadata"]))
        ours = await _assay(bench, running, stub)
        raw = await opened.enter_async_context(_raw_query(running))
        found = await bench.interleave(_sides(bench, ours, raw, peers))
    return _ratios(found, list(peers))


def _sides(
    bench: Bench, ours: Mapping[str, Call], raw: Call, peers: Mapping[str, mlflow.Registry]
) -> dict[str, Measure]:
    seconds = bench.seconds
    sides: dict[str, Measure] = {"raw ms": lambda: p50_ms(raw, seconds / 2)}
    calls = dict(ours)
    for name, peer in peers.items():
        calls |= {
            f"{name} resolve": peer.resolve,
            f"{name} register": peer.register,
            f"{name} {_ON_ONE}": peer.register_on_one,
        }
    for name, call in calls.items():
        for callers in (1, _CALLERS):
            sides[f"{name} {callers}"] = _rate_of(call, callers, seconds)
    sides["resolve ms"] = lambda: p50_ms(ours["resolve"], seconds / 2)
    return sides


def _ratios(found: Mapping[str, float], peers: list[str]) -> list[Ratio]:
    ratios = [
        Ratio(
            "get by alias, p50 alone", found["resolve ms"], "ms", found["raw ms"], "ms, raw query"
        )
    ]
    verbs = {
        "resolve": "get by alias",
        "register": f"register on {_MODELS} models",
        _ON_ONE: _ON_ONE,
    }
    for verb, what in verbs.items():
        for callers in (1, _CALLERS):
            ours, said = found[f"{verb} {callers}"], f"{what}, {callers} callers"
            if not peers:
                ratios.append(Ratio(said, ours, "/s"))
            for peer in peers:
                theirs = found[f"{peer} {verb} {callers}"]
                ratios.append(Ratio(said, ours, "/s", theirs, f"/s, MLflow on {peer}", at_least=10))
    return ratios


def _rate_of(call: Call, callers: int, seconds: float) -> Measure:
    return lambda: rate(call, callers, seconds)


async def _assay(
    bench: Bench, running: Stack, stub: "Callable[[], MetadataServiceAsyncStub]"
) -> dict[str, Call]:
    """Register a version and an alias of each model; return what gets and what registers."""
    identity, digest = running.identity, _store_one(bench, running)
    turn = itertools.cycle(_NAMES)
    names = itertools.cycle(_ALIASES)

    async def register(name: str = "") -> None:
        request = api.RegisterModelVersionRequest(
            parent=f"namespaces/default/models/{name or next(turn)}",
            model_version=ModelVersion(manifest_digest=digest, description="Trained again."),
        )
        await stub().RegisterModelVersion(request, metadata=identity, timeout=10)

    async def resolve() -> None:
        request = api.ResolveRequest(name=next(names))
        await stub().Resolve(request, metadata=identity, timeout=10)

    token = ""
    for name, alias in zip(_NAMES, _ALIASES, strict=True):
        create = api.CreateModelRequest(parent="namespaces/default", model_id=name)
        await stub().CreateModel(create, metadata=identity)
        await register(name)
        set_ = api.SetAliasRequest(
            name=alias, version=f"{alias.rpartition('/aliases')[0]}/versions/1"
        )
        token = (await stub().SetAlias(set_, metadata=identity)).consistency_token
    wait = api.ResolveRequest(name=_ALIASES[0], at_least_as_fresh=token)
    await stub().Resolve(wait, metadata=identity)
    on_one = partial(register, _NAMES[0])
    return {"resolve": resolve, "register": register, _ON_ONE: on_one}


def _store_one(bench: Bench, running: Stack) -> str:
    """Store one small model through the SDK; return the digest of its manifest."""
    path = bench.scratch("model") / "model.bin"
    path.write_bytes(b"weights")
    with Client.connect(running.data) as client:
        return client.register("stored", path).manifest_digest


@asynccontextmanager
async def _raw_query(running: Stack) -> AsyncIterator[Call]:
    """Give the query of a get by alias, asked of Postgres directly."""
    password, address = running.secrets.postgres["metadata"], running.endpoints["postgres"]
    db = await asyncpg.connect(
        f"postgresql://metadata:{password}@{address}/metadata",
        server_settings={"search_path": "metadata"},
    )
    names = itertools.cycle(_ALIASES)
    try:
        yield lambda: db.fetchrow(OF_TARGET, OPEN - 1, next(names))
    finally:
        await db.close()


def _start_peers(bench: Bench, python: Path, opened: AsyncExitStack) -> dict[str, mlflow.Registry]:
    """Start MLflow on its default, sqlite, and on a Postgres like ours; fill both as ours."""
    database = opened.enter_context(postgres.running(bench.scratch("mlflow-database")))
    stores = {"sqlite": "", "Postgres": mlflow.make_database(database)}
    found = {}
    for name, store in stores.items():
        server = opened.enter_context(mlflow.serving(python, bench.folder / f"on-{name}", store))
        found[name] = mlflow.Registry(server.url, _NAMES, _CALLERS)
        found[name].fill()
    return found
