"""Import by the batch, until it is written and until it is read, against one call a version."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc

from assay import bulk
from assay.calls import RetryPolicy
from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay.uploads import upload
from assay_events.commands import Commands
from assay_events.jetstream import JetStream
from assay_metadata.domain.model import MODEL
from tests.bench import mlflow, stack
from tests.bench.harness import MILLI, Bench, Call, Measure, Ratio, rate
from tests.bench.stack import Stack

if TYPE_CHECKING:
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

_CALLERS = 16
_PATIENT = RetryPolicy(max_attempts=100)
_SHORT, _LONG = 2_000, 100_000
_PARENT = "namespaces/default"
_BEHIND = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


async def run(bench: Bench) -> list[Ratio]:
    """Import into a new model each time, in turns with single calls; then into one long model."""
    async with AsyncExitStack() as opened:
        running = opened.enter_context(stack.running(bench.scratch("stack")))
        stubs = await opened.enter_async_context(stack.stubs(running.endpoints["metadata"]))
        client = opened.enter_context(Client.connect(running.data))
        importing = _Importing(running, client, stubs())
        digests = _store(bench, client)
        sides: dict[str, Measure] = {
            "import drafts": lambda: importing.rate(_SHORT),
            "import sealed": lambda: importing.rate(_SHORT, digests),
            "register": _rate_of(await importing.registering(digests[0]), bench),
        }
        if bench.mlflow is not None:
            server = mlflow.serving(bench.mlflow, bench.folder / "mlflow")
            peer = mlflow.Registry(opened.enter_context(server).url, ["bench"], _CALLERS)
            peer.fill()
            sides["MLflow"] = _rate_of(peer.register, bench)
        found = await bench.interleave(sides)
        long = await _long(bench, running, importing)
    ours, theirs = found["import sealed"], found.get("MLflow", 0.0)
    return [
        Ratio(
            f"import versions with a manifest each, batches of {bulk.MOST_ITEMS}",
            ours,
            "/s",
            found["register"],
            f"/s, one call a version, {_CALLERS} callers",
        ),
        Ratio(f"import drafts, batches of {bulk.MOST_ITEMS}", found["import drafts"], "/s"),
        *_beside(ours, theirs),
        *long,
    ]


def _beside(ours: float, theirs: float) -> list[Ratio]:
    if not theirs:
        return []
    peer = f"/s, MLflow on sqlite, a call a version, {_CALLERS} callers"
    return [Ratio("import versions with a manifest each", ours, "/s", theirs, peer)]


def _rate_of(call: Call, bench: Bench) -> Measure:
    return lambda: rate(call, _CALLERS, bench.seconds)


class _Importing:
    """Imports models of any length through the SDK, which tries again where a part is away."""

    def __init__(self, running: Stack, client: Client, stub: "MetadataServiceAsyncStub") -> None:
        self._identity = running.identity
        self._client = client
        self._stub = stub

    async def rate(self, count: int, digests: Sequence[str] = ("",), name: str = "") -> float:
        """Return how many versions of a new model are written a second; drafts without digests."""
        model = name or f"{_PARENT}/models/{uuid4()}"
        items = [api.ImportItem(model=Model(name=model))]
        items += [_version(model, n, digests[n % len(digests)]) for n in range(1, count + 1)]
        begun = time.perf_counter()
        done = await asyncio.to_thread(
            bulk.import_items, self._client, items, import_id=str(uuid4()), retries=_PATIENT
        )
        assert done.items == count + 1
        return count / (time.perf_counter() - begun)

    async def registering(self, digest: str) -> Call:
        """Return what registers a version of the next of some models, by a call of its own."""
        names = [f"single-{number:02}" for number in range(_CALLERS)]
        for name in names:
            request = api.CreateModelRequest(parent=_PARENT, model_id=name)
            await self._stub.CreateModel(request, metadata=self._identity)
        turn = itertools.cycle(names)

        async def register() -> None:
            version = ModelVersion(manifest_digest=digest, description="Trained again.")
            request = api.RegisterModelVersionRequest(
                parent=f"{_PARENT}/models/{next(turn)}", model_version=version
            )
            await self._stub.RegisterModelVersion(request, metadata=self._identity, timeout=30)

        return register

    async def export_rate(self, name: str, count: int) -> float:
        """Return how many versions of a model are read a second."""
        begun = time.perf_counter()
        found = await asyncio.to_thread(lambda: list(bulk.export_items(self._client, name)))
        assert len(found) == count + 1
        return count / (time.perf_counter() - begun)

    async def wait(self, name: str) -> None:
        """Return once the read model has all that was imported."""
        token = self._client.consistency_token
        request = api.GetModelRequest(name=name, at_least_as_fresh=token)
        while True:
            try:
                await self._stub.GetModel(request, metadata=self._identity, timeout=10)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _BEHIND:
                    raise
            else:
                return


def _version(model: str, number: int, digest: str) -> api.ImportItem:
    return api.ImportItem(
        model_version=ModelVersion(
            name=f"{model}/versions/{number}",
            number=number,
            manifest_digest=digest,
            is_draft=not digest,
            description="Trained again.",
            tags={"team": "risk"},
            params={"depth": "6"},
        )
    )


async def _long(bench: Bench, running: Stack, importing: _Importing) -> list[Ratio]:
    """Import one long model, read it back, and load it into a memory that holds nothing."""
    count, name = _LONG // 10 if bench.is_quick else _LONG, f"{_PARENT}/models/long"
    begun = time.perf_counter()
    written = await importing.rate(count, name=name)
    await importing.wait(name)
    until_read = time.perf_counter() - begun
    exported = await importing.export_rate(name, count)
    async with running.bus("metadata") as connection:
        begun = time.perf_counter()
        deployment = running.secrets.deployment
        commands = Commands(JetStream(connection), context="metadata", deployment=deployment)
        folded = await commands.fold(MODEL, name)
        load = (time.perf_counter() - begun) * MILLI
    assert len(folded.state.versions) == count
    return [
        Ratio(f"import {count:,} drafts into one model", written, "/s"),
        Ratio(f"import {count:,} drafts until all can be read", count / until_read, "/s"),
        Ratio(f"export {count:,} versions", exported, "/s"),
        Ratio(f"cold load of a model of {count:,} versions", load, "ms"),
    ]


def _store(bench: Bench, client: Client) -> list[str]:
    """Store small files through the SDK; return the digests of as many manifests as a batch has."""
    path = bench.scratch("model") / "model.bin"
    path.write_bytes(b"weights")
    return [
        upload(client.artifact, _PARENT, {f"{number}.bin": path}).manifest_digest
        for number in range(bulk.MOST_ITEMS)
    ]
