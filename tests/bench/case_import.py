"""Import by the batch, until it is written and until it is read, against one call a version."""

import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay_events.commands import Commands
from assay_events.jetstream import JetStream
from assay_metadata.domain.model import MODEL
from tests.bench import mlflow, stack
from tests.bench.harness import MILLI, Bench, Call, Measure, Ratio, rate
from tests.bench.stack import Stack

if TYPE_CHECKING:
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

_BATCH, _CALLERS = 500, 16
_SHORT, _LONG = 2_000, 100_000
_PARENT = "namespaces/default"
_BEHIND = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


async def run(bench: Bench) -> list[Ratio]:
    """Import into a new model each time, in turns with single calls; then into one long model."""
    async with AsyncExitStack() as opened:
        running = opened.enter_context(stack.running(bench.scratch("stack")))
        stubs = await opened.enter_async_context(stack.stubs(running.endpoints["metadata"]))
        importing = _Importing(running, stubs())
        digest = _store_one(bench, running)
        sides: dict[str, Measure] = {
            "import drafts": lambda: importing.rate(_SHORT),
            "import sealed": lambda: importing.rate(_SHORT, digest),
            "register": _rate_of(await importing.registering(digest), bench),
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
            f"import versions with files, batches of {_BATCH}",
            ours,
            "/s",
            found["register"],
            f"/s, one call a version, {_CALLERS} callers",
        ),
        Ratio(f"import drafts, batches of {_BATCH}", found["import drafts"], "/s"),
        *_beside(ours, theirs),
        *long,
    ]


def _beside(ours: float, theirs: float) -> list[Ratio]:
    if not theirs:
        return []
    peer = f"/s, MLflow on sqlite, a call a version, {_CALLERS} callers"
    return [Ratio("import versions with files", ours, "/s", theirs, peer)]


def _rate_of(call: Call, bench: Bench) -> Measure:
    return lambda: rate(call, _CALLERS, bench.seconds)


class _Importing:
    """Imports models of any length over one connection."""

    def __init__(self, running: Stack, stub: "MetadataServiceAsyncStub") -> None:
        self._identity = running.identity
        self._stub = stub
        self.token = ""

    async def rate(self, count: int, digest: str = "", name: str = "") -> float:
        """Return how many versions of a new model are written a second."""
        requests = _requests(name or f"{_PARENT}/models/{uuid4()}", count, digest)
        begun = time.perf_counter()
        call = self._stub.Import(_slowly(requests), metadata=self._identity)
        async for answer in call:
            assert not answer.is_known
            self.token = answer.consistency_token
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
        """Return how many versions of a model are read a second, once it can be read."""
        await self.wait(name)
        begun, found = time.perf_counter(), 0
        request = api.ExportRequest(parent=name)
        async for part in self._stub.Export(request, metadata=self._identity):
            found += sum(item.HasField("model_version") for item in part.items)
        assert found == count
        return count / (time.perf_counter() - begun)

    async def wait(self, name: str) -> None:
        """Return once the read model has all that was imported."""
        request = api.GetModelRequest(name=name, at_least_as_fresh=self.token)
        while True:
            try:
                await self._stub.GetModel(request, metadata=self._identity, timeout=10)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _BEHIND:
                    raise
            else:
                return


async def _slowly(requests: Sequence[api.ImportRequest]) -> AsyncIterator[api.ImportRequest]:
    """Yield requests as grpc takes them."""
    for request in requests:
        yield request


def _requests(name: str, count: int, digest: str) -> list[api.ImportRequest]:
    """Return the batches of a new model."""
    import_id = str(uuid4())
    first = api.ImportRequest(model=name, import_id=import_id, batch=1)
    first.items.append(api.ImportItem(model=Model(name=name)))
    batches = [
        api.ImportRequest(
            model=name,
            import_id=import_id,
            batch=number,
            items=[_version(n, digest) for n in range(start, min(start + _BATCH, count + 1))],
        )
        for number, start in enumerate(range(1, count + 1, _BATCH), 2)
    ]
    return [first, *batches]


def _version(number: int, digest: str) -> api.ImportItem:
    return api.ImportItem(
        model_version=ModelVersion(
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


def _store_one(bench: Bench, running: Stack) -> str:
    """Store one small model through the SDK; return the digest of its manifest."""
    path = bench.scratch("model") / "model.bin"
    path.write_bytes(b"weights")
    with Client.connect(running.data) as client:
        return client.register("stored", path).manifest_digest
