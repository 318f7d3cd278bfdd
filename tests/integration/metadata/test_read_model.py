"""The tables can be thrown away: a rebuild makes the same ones from the stream."""

import json
import subprocess

import asyncpg
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion, StageGraph, StageRule
from assay.type.v1.metric_pb2 import Metric
from assay_metadata.queries import models, targets, versions
from tests.integration.metadata.registry import Registry


def lively(registry: Registry) -> str:
    """Return a model to which everything has happened."""
    name, stub = registry.model(), registry.stub()
    metrics = [Metric(key="auc", value=-0.0), Metric(key="auc", value=1e300, dataset="d")]
    registry.version(
        name, ModelVersion(metrics=metrics, tags={"a": "1", "b": ""}, params={"p": "é"})
    )
    registry.version(name)
    registry.alias(name, "champion", 1)
    registry.alias(name, "champion", 2)
    registry.stage(name, "staging", 1)
    rules = [StageRule(stage="shared", max_holders=2)]
    graph = StageGraph(rules=rules)
    stub.SetStageGraph(api.SetStageGraphRequest(name=name, graph=graph))
    for number, beside in ((1, False), (2, True), (2, False)):
        version = f"{name}/versions/{number}"
        stub.SetStage(
            api.SetStageRequest(
                name=f"{name}/stages/shared", version=version, beside=beside, weight=10
            )
        )
    stub.RollBack(api.RollBackRequest(name=f"{name}/stages/shared"))
    stub.UnsetStage(api.UnsetStageRequest(name=f"{name}/stages/shared"))
    stub.UnsetStage(api.UnsetStageRequest(name=f"{name}/stages/staging", reason="😀"))
    stub.UpdateModel(api.UpdateModelRequest(model=Model(name=name, tags={"x": "1", "y": "2"})))
    stub.UpdateModel(api.UpdateModelRequest(model=Model(name=name, tags={"y": "3"})))
    first = ModelVersion(name=f"{name}/versions/1", tags={"b": "2"}, description="d")
    stub.UpdateModelVersion(api.UpdateModelVersionRequest(model_version=first))
    stub.ArchiveModelVersion(api.ArchiveModelVersionRequest(name=first.name))
    stub.ArchiveModel(api.ArchiveModelRequest(name=name))
    answer = stub.RestoreModel(api.RestoreModelRequest(name=name))
    registry.token = answer.consistency_token
    return name


@pytest.mark.requirement("A1")
def test_the_live_tables_equal_a_rebuild(registry: Registry) -> None:
    name = lively(registry)
    request = api.GetModelRequest(name=name, at_least_as_fresh=registry.token)
    before = registry.stub().GetModel(request).model
    checked: subprocess.CompletedProcess[str] = registry.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    rebuilt = registry.run("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert registry.stub().GetModel(request).model == before
    token = registry.stub().ArchiveModel(api.ArchiveModelRequest(name=name)).consistency_token
    registry.stub().GetModel(api.GetModelRequest(name=name, at_least_as_fresh=token))
    assert registry.run("check").returncode == 0


async def test_no_read_walks_a_whole_table(registry: Registry) -> None:
    """Each of the statements of the hot path finds its rows by an index once there are many."""
    name = lively(registry)
    registry.stub().GetModel(api.GetModelRequest(name=name, at_least_as_fresh=registry.token))
    db = await asyncpg.connect(
        registry.database.url("metadata"), server_settings={"search_path": "metadata"}
    )
    await db.execute("SET enable_seqscan = off")
    for sql, arguments in (
        (versions.OF_TARGET, (f"{name}/aliases/champion",)),
        (
            versions.OF_TARGETS,
            ([f"{name}/aliases/champion"], [name], ["/aliases/champion"]),
        ),
        (versions.ONE, (name, 1)),
        (models.ONE, (name,)),
        (targets.ONE, (f"{name}/aliases/champion",)),
        (versions.OF_MODEL + " ORDER BY v.number DESC LIMIT 51", (name,)),
    ):
        plan = await db.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", 10**6, *arguments)
        assert "Seq Scan" not in json.dumps(json.loads(plan)), plan
    await db.close()
