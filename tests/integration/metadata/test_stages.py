"""Stage graphs, canaries, promotion and rollback from a client's side."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import grpc
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Holding, Stage, StageGraph, StageRule, State
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import DIGEST, Registry, refused, revision

for_two = StageGraph(rules=[StageRule(stage="production", max_holders=2)])
from_staging = StageGraph(rules=[StageRule(stage="production", from_stages=["staging"])])


def with_versions(registry: Registry, count: int = 3, namespace: str = "default") -> str:
    name = registry.model(namespace=namespace)
    for _ in range(count):
        registry.version(name)
    return name


def with_graph(registry: Registry, graph: StageGraph, count: int = 3) -> str:
    name = with_versions(registry, count)
    registry.stub().SetStageGraph(api.SetStageGraphRequest(name=name, graph=graph))
    return name


def enter(registry: Registry, name: str, number: int, **options: object) -> Stage:
    request = api.SetStageRequest(
        name=f"{name}/stages/production", version=f"{name}/versions/{number}"
    )
    for option, value in options.items():
        setattr(request, option, value)
    answer = registry.stub().SetStage(request)
    registry.token = answer.consistency_token
    return answer.stage


def shares(stage: Stage) -> list[tuple[int, int]]:
    return [(int(h.version.rpartition("/")[2]), h.weight) for h in stage.holders]


def read(registry: Registry, name: str, at: int = 0) -> Stage:
    request = api.GetStageRequest(name=name, at_least_as_fresh=registry.token)
    if at:
        request.as_of.CopyFrom(Moment(revision=at))
    return registry.stub().GetStage(request).stage


def test_a_canary_reads_back(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = with_graph(registry, for_two)
    first = enter(registry, name, 1, weight=95)
    second = enter(registry, name, 2, weight=5, beside=True)
    assert shares(second) == [(1, 95), (2, 5)]
    now = read(registry, second.name)
    assert (shares(now), now.version, now.etag) == (shares(second), first.version, second.etag)
    (listed,) = metadata.ListStages(api.ListStagesRequest(parent=name)).stages
    assert listed == now
    assert shares(read(registry, first.name, revision(first.etag))) == [(1, 95)]
    resolved = metadata.Resolve(api.ResolveRequest(name=first.name)).model_version
    assert resolved.number == 1
    batch = api.BatchResolveRequest(parent="namespaces/default", names=[first.name])
    assert metadata.BatchResolve(batch).resolved[0].model_version == resolved
    canary = metadata.GetModelVersion(api.GetModelVersionRequest(name=f"{name}/versions/2"))
    assert list(canary.model_version.stages) == ["production"]


def test_the_holdings_of_a_canary_are_intervals(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_graph(registry, for_two)
    one = revision(enter(registry, name, 1, weight=95).etag)
    two = revision(enter(registry, name, 2, weight=5, beside=True).etag)
    more = revision(enter(registry, name, 2, weight=0, beside=True).etag)
    end = enter(registry, name, 2)
    request = api.ListHoldingsRequest(parent=end.name, at_least_as_fresh=registry.token)
    holdings = metadata.ListHoldings(request).holdings
    assert [(h.version[-1], h.weight, h.from_revision, h.to_revision) for h in holdings] == [
        ("1", 95, one, revision(end.etag)),
        ("2", 5, two, more),
        ("2", 0, more, 0),
    ]
    request.page_size, pages = 1, list[Holding]()
    while True:
        page = metadata.ListHoldings(request)
        pages += page.holdings
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert pages == list(holdings)


def test_too_many_holders_and_too_much_weight_are_refused(registry: Registry) -> None:
    name = with_graph(registry, for_two)
    enter(registry, name, 1, weight=60)
    with refused("WEIGHT_EXCEEDED") as told:
        enter(registry, name, 2, weight=50, beside=True)
    assert told.code is grpc.StatusCode.FAILED_PRECONDITION
    with refused("MALFORMED"):
        enter(registry, name, 2, weight=101, beside=True)
    enter(registry, name, 2, weight=40, beside=True)
    with refused("TOO_MANY_HOLDERS") as told:
        enter(registry, name, 3, beside=True)
    assert told.metadata["max_holders"] == "2"


def test_racing_canaries_never_are_more_than_allowed(registry: Registry) -> None:
    name = with_graph(registry, for_two, 8)
    stubs = [registry.stub(channel=channel) for channel in range(8)]

    def race(number: int) -> str:
        request = api.SetStageRequest(
            name=f"{name}/stages/production", version=f"{name}/versions/{number}", beside=True
        )
        try:
            stubs[number - 1].SetStage(request)
        except grpc.RpcError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(8) as pool:
        refusals = [told for told in pool.map(race, range(1, 9)) if told]
    assert len(refusals) == 6
    assert all("may have 2 at once" in told for told in refusals)


def test_a_graph_of_the_namespace_holds_for_models_without_one(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    namespace = f"n-{uuid4().hex[:8]}"
    metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id=namespace))
    asked = api.SetStageGraphRequest(name=f"namespaces/{namespace}", graph=from_staging)
    answer = metadata.SetStageGraph(asked)
    assert answer.graph == from_staging
    get = api.GetNamespaceRequest(name=asked.name, at_least_as_fresh=answer.consistency_token)
    there = metadata.GetNamespace(get).namespace
    assert there.stage_graph == from_staging
    name = with_versions(registry, namespace=namespace)
    with refused("MOVE_NOT_ALLOWED") as told:
        enter(registry, name, 1)
    assert told.code is grpc.StatusCode.FAILED_PRECONDITION
    assert told.metadata["allowed"] == "staging"
    assert "staging" in told.message
    registry.stage(name, "staging", 1)
    enter(registry, name, 1)
    metadata.SetStageGraph(api.SetStageGraphRequest(name=name, graph=for_two))
    enter(registry, name, 2, beside=True)
    etag = api.SetStageGraphRequest(name=asked.name, graph=for_two, etag=there.etag)
    metadata.SetStageGraph(etag)
    with refused("ETAG_MISMATCH"):
        metadata.SetStageGraph(
            api.SetStageGraphRequest(name=asked.name, graph=from_staging, etag=there.etag)
        )


def test_a_models_graph_reads_back(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = with_versions(registry)
    answer = metadata.SetStageGraph(api.SetStageGraphRequest(name=name, graph=for_two))
    request = api.GetModelRequest(name=name, at_least_as_fresh=answer.consistency_token)
    assert metadata.GetModel(request).model.stage_graph == for_two
    emptied = metadata.SetStageGraph(api.SetStageGraphRequest(name=name))
    request.at_least_as_fresh = emptied.consistency_token
    assert not metadata.GetModel(request).model.HasField("stage_graph")


@pytest.mark.parametrize(
    "graph",
    [
        StageGraph(rules=[StageRule(stage="a"), StageRule(stage="a")]),
        StageGraph(rules=[StageRule(stage="a", max_holders=17)]),
        StageGraph(rules=[StageRule(stage="a@b")]),
    ],
)
def test_a_bad_graph_is_refused(registry: Registry, graph: StageGraph) -> None:
    name = registry.model()
    with refused("MALFORMED"):
        registry.stub().SetStageGraph(api.SetStageGraphRequest(name=name, graph=graph))


def test_a_graph_needs_a_model_or_a_namespace(metadata: MetadataServiceStub) -> None:
    for name in ("namespaces/none-here", "namespaces/default/models/none-here"):
        with refused("NOT_FOUND"):
            metadata.SetStageGraph(api.SetStageGraphRequest(name=name, graph=for_two))
    with refused("MALFORMED"):
        metadata.SetStageGraph(api.SetStageGraphRequest(name="x", graph=for_two))


def test_promote_and_archive_is_one_command(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    enter(registry, name, 1)
    request = api.SetStageRequest(
        name=f"{name}/stages/production",
        version=f"{name}/versions/2",
        archive_previous=True,
        request_id=str(uuid4()),
    )
    first = metadata.SetStage(request)
    assert metadata.SetStage(request) == first
    get = api.GetModelVersionRequest(
        name=f"{name}/versions/1", at_least_as_fresh=first.consistency_token
    )
    assert metadata.GetModelVersion(get).model_version.state == State.STATE_ARCHIVED
    with refused("VERSION_ARCHIVED"):
        registry.alias(name, "champion", 1)
    registry.alias(name, "champion", 2)
    with refused("VERSION_HELD"):
        enter(registry, name, 3, archive_previous=True)
    with refused("VERSION_ARCHIVED"):
        metadata.RollBack(api.RollBackRequest(name=request.name))


def test_a_rollback_is_one_call_and_a_retry_does_nothing_more(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    for number in (1, 2, 3):
        registry.alias(name, "champion", number)
    request = api.RollBackRequest(name=f"{name}/aliases/champion", request_id=str(uuid4()))
    assert metadata.RollBack(request).model_version.number == 2
    assert metadata.RollBack(request).model_version.number == 2
    second = metadata.RollBack(api.RollBackRequest(name=request.name))
    assert second.model_version.number == 1
    assert list(second.model_version.aliases) == ["champion"]
    with refused("NOTHING_BEFORE") as told:
        metadata.RollBack(api.RollBackRequest(name=request.name))
    assert told.code is grpc.StatusCode.FAILED_PRECONDITION
    resolve = api.ResolveRequest(name=request.name, at_least_as_fresh=second.consistency_token)
    assert metadata.Resolve(resolve).model_version.number == 1


def test_a_rollback_asks_for_a_grant(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = with_versions(registry)
    registry.stage(name, "production", 1)
    stage = registry.stage(name, "production", 2).name
    registry.neighbours.governed.add(stage)
    registry.neighbours.away.add("approval")
    with refused("UNAVAILABLE"):
        metadata.RollBack(api.RollBackRequest(name=stage))
    registry.neighbours.away.clear()
    with refused("APPROVAL_REQUIRED"):
        metadata.RollBack(api.RollBackRequest(name=stage))
    approval = f"namespaces/default/approvals/{uuid4()}"
    registry.neighbours.grant(stage, f"{name}/versions/1", DIGEST, approval)
    answer = metadata.RollBack(api.RollBackRequest(name=stage))
    registry.token = answer.consistency_token
    assert read(registry, stage).approval == approval


def test_of_racing_rollbacks_one_wins(registry: Registry) -> None:
    name = with_versions(registry)
    for number in (1, 2, 3):
        registry.alias(name, "champion", number)
    stubs = [registry.stub(channel=channel) for channel in range(8)]

    def race(channel: int) -> bool:
        request = api.RollBackRequest(
            name=f"{name}/aliases/champion", expected_version=f"{name}/versions/3"
        )
        try:
            stubs[channel].RollBack(request)
        except grpc.RpcError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(8))) == 1
