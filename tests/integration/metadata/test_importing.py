"""Import as a caller meets it: whole batches in order, refusals that name the item, retries."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import (
    Model,
    ModelVersion,
    Stage,
    StageGraph,
    StageHolder,
    StageRule,
    State,
)
from assay.type.v1.metric_pb2 import Metric
from tests.integration.metadata.importing import (
    alias,
    batch,
    commit,
    export,
    items_of,
    name,
    new_model,
    sealed,
    send,
    stage,
    version,
)
from tests.integration.metadata.registry import BEN, DIGEST, Registry, refused

KINDS = ("model", "model_version", "model_version", "alias", "stage")


def small(model: str) -> list[api.ImportItem]:
    """Return a model with two versions, an alias and a stage."""
    return [
        new_model(model, Model(description="Who leaves", tags={"team": "risk"})),
        sealed(model, 1),
        version(model, 2),
        alias(model, "champion", 1),
        stage(model, "production", 1),
    ]


def got(registry: Registry, model: str) -> list[api.ImportItem]:
    return items_of(export(registry, model))


def test_a_batch_writes_all_its_items(registry: Registry) -> None:
    commit(registry)
    model = name()
    (answer,) = send(registry, [batch(model, small(model))])
    assert (answer.batch, answer.is_known, answer.written_versions) == (1, False, 2)
    items = got(registry, model)
    assert tuple(item.WhichOneof("item") for item in items) == KINDS
    assert items[0].model.description == "Who leaves"
    assert items[1].model_version.file_count == 2
    assert items[2].model_version.state == State.STATE_DRAFT


def test_batches_are_answered_in_order(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    requests = [batch(model, [new_model(model)], 1, import_id)]
    requests += [batch(model, [version(model, n - 1)], n, import_id) for n in range(2, 9)]
    assert [answer.batch for answer in send(registry, requests)] == list(range(1, 9))
    assert len(got(registry, model)) == 8


def test_a_batch_that_is_sent_again_writes_nothing(registry: Registry) -> None:
    commit(registry)
    model, import_id = name(), str(uuid4())
    request = batch(model, small(model), 1, import_id)
    (first,) = send(registry, [request])
    before = got(registry, model)
    (second,) = send(registry, [request])
    assert (second.is_known, second.written_versions) == (True, 0)
    assert second.consistency_token == first.consistency_token
    assert got(registry, model) == before


def test_a_known_batch_is_known_after_later_ones(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    first = batch(model, [new_model(model), version(model, 1)], 1, import_id)
    second = batch(model, [version(model, 2)], 2, import_id)
    assert [answer.is_known for answer in send(registry, [first, second])] == [False, False]
    assert [answer.is_known for answer in send(registry, [first, second])] == [True, True]


def test_a_batch_that_is_sent_again_with_other_items_is_refused(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    list(send(registry, [batch(model, [new_model(model)], 1, import_id)]))
    with refused("REQUEST_ID_REUSED") as told:
        list(send(registry, [batch(model, [version(model, 1)], 1, import_id)]))
    assert told.metadata == {"field": "batch"} | {"batch": "1", "model": model}


def test_a_batch_of_somebody_else_is_not_known(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    request = batch(model, [new_model(model)], 1, import_id)
    list(send(registry, [request]))
    with refused("REQUEST_ID_REUSED"):
        list(send(registry, [request], BEN))


def test_a_refused_item_is_named_and_its_batch_writes_nothing(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    requests = [
        batch(model, [new_model(model), version(model, 1)], 1, import_id),
        batch(model, [version(model, 2), alias(model, "a", 9)], 2, import_id),
    ]
    seen = list[int]()
    with refused("NOT_FOUND") as told:
        seen += (answer.batch for answer in send(registry, requests))
    assert told.metadata["item"] == "items[1].alias"
    assert told.metadata["batch"] == "2"
    assert told.message.startswith("items[1].alias: ")
    assert len(got(registry, model)) == 2


def test_an_import_goes_on_once_its_item_is_mended(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    first = batch(model, [new_model(model), version(model, 1)], 1, import_id)
    wrong = batch(model, [version(model, 7)], 2, import_id)
    right = batch(model, [version(model, 2)], 2, import_id)
    with refused("MALFORMED") as told:
        list(send(registry, [first, wrong]))
    assert told.metadata["field"] == "items[0].model_version.number"
    assert [answer.is_known for answer in send(registry, [first, right])] == [True, False]
    assert len(got(registry, model)) == 3


def test_what_comes_after_a_refused_batch_is_not_looked_at(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    with refused("NOT_FOUND"):
        requests = [
            batch(model, [version(model, 1)], 1, import_id),
            batch(model, [new_model(model)], 2, import_id),
        ]
        list(send(registry, requests))
    with refused("NOT_FOUND"):
        export(registry, model)


def test_a_stream_that_ends_early_keeps_what_was_answered(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    first = batch(model, [new_model(model)], 1, import_id)
    second = batch(model, [version(model, 1)], 2, import_id)
    answers = send(registry, [first, second])
    assert next(answers).batch == 1
    answers.close()
    assert [answer.batch for answer in send(registry, [first, second])] == [1, 2]
    assert len(got(registry, model)) == 2


def test_the_same_import_by_two_callers_at_once_writes_one_copy(registry: Registry) -> None:
    model, import_id = name(), str(uuid4())
    requests = [batch(model, [new_model(model)], 1, import_id)]
    for number in range(2, 12):
        versions = [version(model, (number - 2) * 20 + n) for n in range(1, 21)]
        requests.append(batch(model, versions, number, import_id))
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(lambda _: list(send(registry, requests)), range(4)))
    assert [[answer.batch for answer in answers] for answers in found] == [list(range(1, 12))] * 4
    assert sum(answer.written_versions for answers in found for answer in answers) == 200
    assert sum(not answer.is_known for answers in found for answer in answers) == 11
    registry.token = found[0][-1].consistency_token
    assert len(got(registry, model)) == 201


def test_archived_things_are_imported_archived(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    commit(registry)
    model = name()
    archived = ModelVersion(state=State.STATE_ARCHIVED)
    items = [
        new_model(model),
        version(model, 1, archived),
        sealed(model, 2, archived),
        sealed(model, 3),
        alias(model, "champion", 3),
        api.ImportItem(changed_model=Model(name=model, state=State.STATE_ARCHIVED)),
    ]
    (answer,) = send(registry, [batch(model, items)])
    assert answer.written_versions == 3
    found = got(registry, model)
    states = [item.model_version.state for item in found if item.HasField("model_version")]
    assert states == [State.STATE_ARCHIVED, State.STATE_ARCHIVED, State.STATE_ACTIVE]
    assert found[-1].changed_model.state == State.STATE_ARCHIVED
    asked = api.GetModelRequest(name=model, at_least_as_fresh=registry.token)
    assert metadata.GetModel(asked).model.state == State.STATE_ARCHIVED


def test_a_model_without_versions_is_imported_archived_at_once(registry: Registry) -> None:
    model = name()
    list(send(registry, [batch(model, [new_model(model, Model(state=State.STATE_ARCHIVED))])]))
    first, last = got(registry, model)
    assert (first.model.state, last.changed_model.state) == (
        State.STATE_ACTIVE,
        State.STATE_ARCHIVED,
    )


def test_a_governed_stage_needs_its_grant(registry: Registry) -> None:
    commit(registry)
    model, import_id = name(), str(uuid4())
    production = f"{model}/stages/production"
    registry.neighbours.governed.add(production)
    request = batch(model, small(model), 1, import_id)
    with refused("APPROVAL_REQUIRED") as told:
        list(send(registry, [request]))
    assert told.metadata["item"] == "items[4].stage"
    with refused("NOT_FOUND"):
        export(registry, model)
    grant = "namespaces/default/approvals/5f2a0000-0000-4000-8000-000000000001"
    registry.neighbours.grant(production, f"{model}/versions/1", DIGEST, grant)
    list(send(registry, [request]))
    assert got(registry, model)[-1].stage.approval == grant


def test_nothing_is_written_while_the_approval_service_is_away(registry: Registry) -> None:
    commit(registry)
    model, import_id = name(), str(uuid4())
    registry.neighbours.away.add("approval")
    with refused("UNAVAILABLE"):
        list(send(registry, [batch(model, small(model), 1, import_id)]))
    registry.neighbours.away.clear()
    (answer,) = send(registry, [batch(model, small(model), 1, import_id)])
    assert not answer.is_known


def test_a_manifest_that_is_not_committed_is_named(registry: Registry) -> None:
    model, digest = name(), "sha256:" + "0" * 64
    items = [
        new_model(model),
        version(model, 1, ModelVersion(manifest_digest=digest)),
        version(model, 2, ModelVersion(manifest_digest=digest)),
    ]
    with refused("MANIFEST_MISSING") as told:
        list(send(registry, [batch(model, items)]))
    assert told.metadata["item"] == "items[1].model_version"


def test_several_holders_enter_a_stage_at_once(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    commit(registry)
    model = name()
    rules = [StageRule(stage="live", max_holders=2)]
    holders = [
        StageHolder(version=f"{model}/versions/2", weight=90),
        StageHolder(version=f"{model}/versions/1", weight=10),
    ]
    live = Stage(name=f"{model}/stages/live", holders=holders)
    items = [
        new_model(model, Model(stage_graph=StageGraph(rules=rules))),
        sealed(model, 1),
        sealed(model, 2),
        api.ImportItem(stage=live),
    ]
    list(send(registry, [batch(model, items)]))
    asked = api.GetStageRequest(name=live.name, at_least_as_fresh=registry.token)
    assert list(metadata.GetStage(asked).stage.holders) == holders
    with refused("NOTHING_BEFORE"):
        metadata.RollBack(api.RollBackRequest(name=live.name))


def test_parents_may_be_of_the_same_batch_or_of_another_model(registry: Registry) -> None:
    other, model = name(), name()
    list(send(registry, [batch(other, [new_model(other), version(other, 1)])]))
    parents = [f"{model}/versions/1", f"{other}/versions/1"]
    items = [
        new_model(model),
        version(model, 1),
        version(model, 2, ModelVersion(parent_versions=parents)),
    ]
    list(send(registry, [batch(model, items)]))
    assert list(got(registry, model)[2].model_version.parent_versions) == parents
    wrong = ModelVersion(parent_versions=[f"{other}/versions/2"])
    with refused("NOT_FOUND") as told:
        list(send(registry, [batch(model, [version(model, 3, wrong)])]))
    assert told.metadata["item"] == "items[0].model_version"


def test_a_renamed_model_takes_versions_by_either_name(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    old, new = registry.model(), name()
    metadata.RenameModel(api.RenameModelRequest(name=old, new_model_id=new.rpartition("/")[2]))
    list(send(registry, [batch(new, [version(new, 1), version(old, 2)])]))
    assert [item.model_version.name for item in got(registry, old)[1:]] == [
        f"{old}/versions/1",
        f"{old}/versions/2",
    ]
    with refused("ALREADY_EXISTS"):
        list(send(registry, [batch(new, [new_model(new)])]))


def test_unicode_is_kept(registry: Registry) -> None:
    model = name(f"größer 😀 {uuid4()}")
    given = ModelVersion(description="für 😀", tags={"größe": "中文"}, params={"é": "\u2028"})
    given.metrics.append(Metric(key="größe", value=-0.0))
    list(send(registry, [batch(model, [new_model(model), version(model, 1, given)])]))
    found = got(registry, model)[1].model_version
    assert (found.description, dict(found.tags)) == (given.description, dict(given.tags))
    assert str(found.metrics[0].value) == "-0.0"
