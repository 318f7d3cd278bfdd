"""Runs over gRPC, with the real metadata service beside: recorded once, and found again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from assay.lineage.v1.lineage_service_pb2 import (
    GetRunRequest,
    ListDownstreamRequest,
    ListRunsRequest,
    ListUpstreamRequest,
    RecordRunRequest,
    RecordRunResponse,
)
from assay.lineage.v1.lineage_service_pb2_grpc import LineageServiceStub
from assay.lineage.v1.resources_pb2 import Code, Dataset, Node, NodeKind, Run
from assay.metadata.v1.events_pb2 import ModelCreated, ModelVersionRegistered
from assay.type.v1.metric_pb2 import Metric
from assay.type.v1.moment_pb2 import Moment
from assay_serve.embedded import nats, postgres
from tests.support.read_model import empty
from tests.support.scribe import ANN, Scribe
from tests.support.service import Service, bearer, service

if TYPE_CHECKING:  # the stub of a channel of grpc.aio is there for types only
    from assay.lineage.v1.lineage_service_pb2_grpc import LineageServiceAsyncStub

PARENT = "namespaces/default"
CHURN = f"{PARENT}/models/churn"
BASE = f"{PARENT}/models/base"
BEN = "principals/66666666-6666-4666-8666-666666666666"


def digest(number: int) -> str:
    return "sha256:" + f"{number:02x}" * 32


@dataclass
class Lineage:
    """The running services, and a client of lineage."""

    served: Service
    metadata: Service
    scribe: Scribe
    stub: "LineageServiceAsyncStub"

    @property
    def as_ann(self) -> tuple[tuple[str, str], ...]:
        return bearer(self.served.folder)

    async def record(self, run: Run, request_id: str = "") -> RecordRunResponse:
        request = RecordRunRequest(parent=PARENT, run=run, request_id=request_id)
        return await self.stub.RecordRun(request, metadata=self.as_ann)

    async def register(self, model: str, number: int, run: str = "") -> int:
        event = ModelVersionRegistered(
            name=f"{model}/versions/{number}",
            number=number,
            manifest_digest=digest(number),
            run=run,
        )
        return await self.scribe.write(event)


@pytest.fixture
async def lineage(
    scribe: Scribe, bus: nats.Bus, database: postgres.Database, tmp_path: Path
) -> AsyncIterator[Lineage]:
    folder = tmp_path / "identity"
    metadata = service("metadata", folder, bus, database)
    served = service("lineage", folder, bus, database, {"metadata": metadata.internal})
    for each in (metadata, served):
        await empty(database.owner_url(each.name))
        await asyncio.to_thread(each.prepare)
    await asyncio.gather(*(asyncio.to_thread(each.running.start) for each in (metadata, served)))
    for model in (BASE, CHURN):
        await scribe.write(ModelCreated(name=model))
    async with served.channel() as channel:
        lineage = Lineage(served, metadata, scribe, LineageServiceStub(channel))
        await lineage.register(BASE, 1)
        yield lineage
    for each in (served, metadata):
        await asyncio.to_thread(each.running.stop)


def training(**fields: object) -> Run:
    run = Run(
        display_name="nightly training",
        params={"depth": "6", "ünï": "çödé"},
        metrics=[
            Metric(key="accuracy", value=0.1 + 0.2, unit="", dataset=digest(7)),
            Metric(key="loss", value=-0.0),
        ],
        code=Code(repository="https://git.example.org/churn", commit="3f78"),
        input_datasets=[
            Dataset(display_name="customers", digest=digest(7), uri="s3://data/customers"),
            Dataset(digest=digest(8)),
        ],
        input_versions=[f"{BASE}/versions/1"],
        start_time=Timestamp(seconds=10, nanos=5000),
        end_time=Timestamp(seconds=20),
    )
    run.MergeFrom(Run(**fields))  # type: ignore[arg-type]  # a test's own fields
    return run


async def test_a_run_is_recorded_and_read_back_whole(lineage: Lineage) -> None:
    answer = await lineage.record(training())
    run = answer.run
    expected = training()
    expected.name, expected.etag, expected.creator = run.name, run.etag, ANN.principal
    expected.create_time.CopyFrom(run.create_time)
    assert run == expected
    now = datetime.now(UTC).timestamp()
    assert now - 60 < run.create_time.seconds <= now
    request = GetRunRequest(name=run.name, at_least_as_fresh=answer.consistency_token)
    got = await lineage.stub.GetRun(request, metadata=lineage.as_ann)
    assert got.run == run


async def test_a_retry_gets_the_same_run(lineage: Lineage) -> None:
    request_id = str(uuid4())
    first = await lineage.record(training(), request_id)
    assert await lineage.record(training(), request_id) == first
    await asyncio.to_thread(lineage.metadata.running.stop)
    assert await lineage.record(training(), request_id) == first
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await lineage.record(training(display_name="other"), request_id)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_retry_after_a_crash_gets_the_same_run(lineage: Lineage) -> None:
    request_id = str(uuid4())
    first = await lineage.record(training(), request_id)
    await asyncio.to_thread(lineage.served.running.kill)
    await asyncio.to_thread(lineage.served.running.start)
    async with lineage.served.channel() as channel:
        lineage.stub = LineageServiceStub(channel)
        assert await lineage.record(training(), request_id) == first


async def test_what_is_not_there_can_not_have_gone_in(lineage: Lineage) -> None:
    for run in (
        Run(input_versions=[f"{CHURN}/versions/1"]),
        Run(output_versions=[f"{PARENT}/models/nope/versions/1"]),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await lineage.record(run)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
        assert "Register the version first." in str(refusal.value.details())
    request = RecordRunRequest(parent="namespaces/nope", run=Run(display_name="x"))
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await lineage.stub.RecordRun(request, metadata=lineage.as_ann)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    await lineage.register(CHURN, 1)
    answer = await lineage.record(Run(input_versions=[f"{CHURN}/versions/1"]))
    assert answer.run.input_versions == [f"{CHURN}/versions/1"]


async def test_no_run_is_recorded_while_metadata_is_away(lineage: Lineage) -> None:
    await asyncio.to_thread(lineage.metadata.running.kill)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await lineage.record(training())
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
    await asyncio.to_thread(lineage.metadata.running.start)


BAD_RUNS = {
    "nan": Run(metrics=[Metric(key="loss", value=float("nan"))]),
    "digest": Run(input_datasets=[Dataset(digest="sha256:1")]),
    "no digest": Run(input_datasets=[Dataset()]),
    "name": Run(input_versions=["nonsense"]),
    "10 MB": Run(params={"x": "y" * 10_000_000}),
    "NUL": Run(params={"x": "a\0b"}),
    "too many": Run(params={str(number): "" for number in range(1001)}),
    "event too large": Run(params={str(number): "y" * 1000 for number in range(100)}),
}


async def test_bad_runs_are_refused(lineage: Lineage) -> None:
    for bad, run in BAD_RUNS.items():
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await lineage.record(run)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT, bad
    listed = await lineage.stub.ListRuns(ListRunsRequest(parent=PARENT), metadata=lineage.as_ann)
    assert not listed.runs


async def test_runs_are_listed_newest_first(lineage: Lineage) -> None:
    names, token = [], ""
    for number in range(5):
        answer = await lineage.record(Run(display_name=f"run {number}"))
        names.append(answer.run.name)
        token = answer.consistency_token
    seen: list[str] = []
    request = ListRunsRequest(parent=PARENT, page_size=2, at_least_as_fresh=token)
    while not seen or request.page_token:
        page = await lineage.stub.ListRuns(request, metadata=lineage.as_ann)
        seen += [run.name for run in page.runs]
        request.page_token = page.next_page_token
    assert seen == names[::-1]
    other = ListRunsRequest(parent="namespaces/other")
    assert not (await lineage.stub.ListRuns(other, metadata=lineage.as_ann)).runs


def told(nodes: "list[Node]") -> dict[str, tuple[NodeKind.ValueType, str, int]]:
    return {node.name: (node.kind, node.display_name, node.depth) for node in nodes}


async def test_the_graph_tells_what_was_made_from_what(lineage: Lineage) -> None:
    answer = await lineage.record(training())
    run, before = answer.run.name, int(answer.run.etag.strip('"'))
    version = f"{CHURN}/versions/1"
    registered = await lineage.register(CHURN, 1, run)

    request = ListUpstreamRequest(name=version, as_of=Moment(revision=registered))
    up = await lineage.stub.ListUpstream(request, metadata=lineage.as_ann)
    nodes = told(list(up.nodes))
    code = next(name for name in nodes if "/code/" in name)
    hex_7, hex_8 = digest(7).removeprefix("sha256:"), digest(8).removeprefix("sha256:")
    assert nodes == {
        version: (NodeKind.NODE_KIND_VERSION, "churn/1", 0),
        run: (NodeKind.NODE_KIND_RUN, "nightly training", 1),
        f"{PARENT}/artifacts/{digest(1).replace(':', '-')}": (
            NodeKind.NODE_KIND_ARTIFACT,
            digest(1).removeprefix("sha256:")[:12],
            1,
        ),
        f"{PARENT}/datasets/sha256-{hex_7}": (NodeKind.NODE_KIND_DATASET, "customers", 2),
        f"{PARENT}/datasets/sha256-{hex_8}": (NodeKind.NODE_KIND_DATASET, hex_8[:12], 2),
        f"{BASE}/versions/1": (NodeKind.NODE_KIND_VERSION, "base/1", 2),
        code: (NodeKind.NODE_KIND_CODE, "https://git.example.org/churn@3f78", 2),
    }
    edges = {(edge.from_node, edge.to_node): edge.revision for edge in up.edges}
    assert edges[(run, version)] == registered
    assert edges[(f"{BASE}/versions/1", run)] == before
    assert len(edges) == 7  # the artifact made both versions, as their digest is the same
    assert not up.truncated

    request.as_of.revision = registered - 1
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await lineage.stub.ListUpstream(request, metadata=lineage.as_ann)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND

    dataset = f"{PARENT}/datasets/sha256-{hex_7}"
    down = await lineage.stub.ListDownstream(
        ListDownstreamRequest(name=dataset, depth=1), metadata=lineage.as_ann
    )
    assert set(told(list(down.nodes))) == {dataset, run}
    down = await lineage.stub.ListDownstream(
        ListDownstreamRequest(name=dataset), metadata=lineage.as_ann
    )
    assert set(told(list(down.nodes))) == {dataset, run, version}
    got = await lineage.stub.GetRun(GetRunRequest(name=run), metadata=lineage.as_ann)
    assert got.run.output_versions == [version]


async def test_a_walk_is_at_most_a_hundred_steps(lineage: Lineage) -> None:
    for depth in (-1, 101):
        request = ListUpstreamRequest(name=f"{BASE}/versions/1", depth=depth)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await lineage.stub.ListUpstream(request, metadata=lineage.as_ann)
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_rebuild_is_equal_and_goes_on(lineage: Lineage) -> None:
    answer = await lineage.record(training())
    last = await lineage.register(CHURN, 1, answer.run.name)
    await lineage.record(training(input_versions=[f"{CHURN}/versions/1"]))
    request = ListUpstreamRequest(name=f"{CHURN}/versions/1", as_of=Moment(revision=last))
    before = await lineage.stub.ListUpstream(request, metadata=lineage.as_ann)
    assert await asyncio.to_thread(lineage.served.run, "check") == 0
    assert await asyncio.to_thread(lineage.served.run, "rebuild") == 0
    after = await lineage.stub.ListUpstream(request, metadata=lineage.as_ann)
    assert (list(after.nodes), list(after.edges)) == (list(before.nodes), list(before.edges))
    later = await lineage.record(Run(display_name="later"))
    read = GetRunRequest(name=later.run.name, at_least_as_fresh=later.consistency_token)
    assert (await lineage.stub.GetRun(read, metadata=lineage.as_ann)).run == later.run
