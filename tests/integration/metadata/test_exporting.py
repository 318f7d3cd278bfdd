"""Export as a caller meets it: everything of one moment, in an order that Import takes."""

from collections.abc import Iterable, Sequence
from uuid import uuid4

import assay.metadata.v1.metadata_service_pb2 as api
from assay.bulk import batches
from assay.bulk_files import renamed
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import (
    Imported,
    Model,
    ModelCard,
    ModelVersion,
    Stage,
    StageGraph,
    StageHolder,
    StageRule,
    State,
)
from assay.type.v1.metric_pb2 import Metric
from assay.type.v1.moment_pb2 import Moment
from assay_events import token
from tests.integration.metadata.importing import (
    alias,
    batch,
    bearer,
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
from tests.integration.metadata.registry import Registry, refused

_OF_THE_REGISTRY = ("etag", "create_time", "update_time", "creator", "actor", "approval")


def namespace(registry: Registry) -> str:
    """Create a namespace with the manifest of `sealed` and return its id."""
    namespace_id = f"n-{uuid4()}"
    request = api.CreateNamespaceRequest(namespace_id=namespace_id)
    registry.token = registry.stub().CreateNamespace(request).consistency_token
    commit(registry, namespace_id)
    return namespace_id


def load(registry: Registry, items: Iterable[api.ImportItem]) -> None:
    """Import items in the batches of the SDK."""
    import_id = str(uuid4())
    requests = [batch(b.model, b.items, b.number, import_id) for b in batches(items)]
    assert len(list(send(registry, requests))) == len(requests)


def said(items: Iterable[api.ImportItem]) -> list[api.ImportItem]:
    """Return items without what each registry says by itself."""
    kept = list[api.ImportItem]()
    for item in items:
        own = api.ImportItem()
        own.CopyFrom(item)
        part = getattr(own, own.WhichOneof("item") or "")
        for field in _OF_THE_REGISTRY:
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
        kept.append(own)
    return kept


def rich(model: str) -> Sequence[api.ImportItem]:
    """Return a model that has everything that a model can have."""
    live = Stage(name=f"{model}/stages/live")
    for number, weight in ((3, 90), (1, 10)):
        live.holders.append(StageHolder(version=f"{model}/versions/{number}", weight=weight))
    graph = StageGraph(
        rules=[
            StageRule(stage="live", max_holders=2, from_stages=["tested"]),
            StageRule(stage="tested"),
        ]
    )
    described = ModelVersion(
        description="für 😀",
        tags={"größe": "中文"},
        params={"depth": "6"},
        metrics=[Metric(key="auc", value=-0.0, unit="%", dataset="d")],
        semantic_version="1.0.0-rc.1",
        card=ModelCard(schema="assay/card/v1", purpose="Ask first."),
        imported=Imported(source="mlflow:x", author="ann", claims={"a": "b"}),
    )
    return [
        new_model(
            model,
            Model(
                description="größer 😀",
                tags={"team": "risk"},
                owners=["teams/risk"],
                intended_use="None",
                tier="high",
                imported=Imported(source="here"),
            ),
        ),
        sealed(model, 1, described),
        version(model, 2, ModelVersion(state=State.STATE_ARCHIVED)),
        sealed(model, 3, ModelVersion(parent_versions=[f"{model}/versions/1"])),
        version(model, 4, ModelVersion(external_uri="oci://host/name")),
        version(model, 5),
        alias(model, "champion", 3),
        stage(model, "tested", 1),
        api.ImportItem(changed_model=Model(name=model, stage_graph=_open())),
        api.ImportItem(stage=live),
        api.ImportItem(
            changed_model=Model(name=model, stage_graph=graph, state=State.STATE_ARCHIVED)
        ),
    ]


def _open() -> StageGraph:
    return StageGraph(rules=[StageRule(stage="live", max_holders=16)])


def test_an_export_imported_elsewhere_is_its_source(registry: Registry) -> None:
    one, other = namespace(registry), namespace(registry)
    for model_id in ("größer 😀", "a", "z"):
        load(registry, rich(name(model_id, one)))
    source = items_of(export(registry, f"namespaces/{one}"))
    load(registry, (renamed(item, other) for item in source))
    copy = items_of(export(registry, f"namespaces/{other}"))
    assert said(copy) == said(renamed(item, other) for item in source)
    assert len(copy) == 3 * 11


def test_parts_are_of_one_model_and_no_larger_than_a_batch(registry: Registry) -> None:
    own, other = namespace(registry), namespace(registry)
    model = name("m", own)
    large = ModelVersion(params={str(key): "x" * 1000 for key in range(50)})
    items = [version(model, n, large if n > 900 else None) for n in range(1, 961)]
    load(registry, [new_model(model), *items])
    load(registry, [new_model(name("n", own)), version(name("n", own), 1)])
    parts = export(registry, f"namespaces/{own}")
    assert [part.model for part in parts] == sorted(part.model for part in parts)
    assert all(len(part.items) <= 500 for part in parts)
    assert all(part.ByteSize() < 4 * 1024 * 1024 for part in parts)
    assert len({part.consistency_token for part in parts}) == 1
    found = items_of(parts)
    assert [i.model_version.number for i in found if i.HasField("model_version")][:-1] == list(
        range(1, 961)
    )
    import_id = str(uuid4())
    requests = [
        batch(
            part.model.replace(own, other),
            [renamed(item, other) for item in part.items],
            number,
            import_id,
        )
        for number, part in enumerate(parts, 1)
    ]
    assert len(list(send(registry, requests))) == len(parts)
    assert said(items_of(export(registry, f"namespaces/{other}"))) == said(
        renamed(item, other) for item in found
    )


def test_what_a_version_was_made_from_comes_first_across_models(registry: Registry) -> None:
    own, other = namespace(registry), namespace(registry)
    a, b, c = (name(model_id, own) for model_id in "abc")
    load(registry, [new_model(a), new_model(b), new_model(c), version(c, 1), version(b, 1)])
    for number in (1, 2, 3):
        parents = [f"{b}/versions/{number}", f"{c}/versions/1"]
        load(registry, [version(a, number, ModelVersion(parent_versions=parents))])
        parents = [f"{a}/versions/{number}"]
        load(registry, [version(b, number + 1, ModelVersion(parent_versions=parents))])
    found = items_of(export(registry, f"namespaces/{own}"))
    numbered = [
        item.model_version.name.removeprefix(f"namespaces/{own}/models/")
        for item in found
        if item.HasField("model_version")
    ]
    assert numbered == [
        "b/versions/1",
        "c/versions/1",
        "a/versions/1",
        "b/versions/2",
        "a/versions/2",
        "b/versions/3",
        "a/versions/3",
        "b/versions/4",
    ]
    load(registry, (renamed(item, other) for item in found))
    assert len(items_of(export(registry, f"namespaces/{other}"))) == len(found) == 11


def test_an_export_is_of_the_moment_at_which_it_began(registry: Registry) -> None:
    own = namespace(registry)
    for model_id in ("a", "b"):
        model = name(model_id, own)
        load(registry, [new_model(model), *(version(model, n) for n in range(1, 601))])
    request = api.ExportRequest(parent=f"namespaces/{own}", at_least_as_fresh=registry.token)
    call = registry.stub().Export(request, metadata=bearer(registry))
    parts = [next(call)]
    later = name("b", own)
    load(registry, [version(later, 601)])
    load(registry, [new_model(name("c", own))])
    parts += call
    assert len(items_of(parts)) == 1202
    assert len(items_of(export(registry, f"namespaces/{own}"))) == 1204


def test_an_export_as_of_a_moment_has_what_was_there_then(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    commit(registry)
    model = name()
    load(registry, [new_model(model), sealed(model, 1), alias(model, "champion", 1)])
    then = token.decode(registry.token)
    load(registry, [sealed(model, 2), alias(model, "champion", 2)])
    metadata.ArchiveModel(api.ArchiveModelRequest(name=model))
    old = items_of(export(registry, model, api.ExportRequest(as_of=Moment(revision=then))))
    assert [item.WhichOneof("item") for item in old] == ["model", "model_version", "alias"]
    assert old[2].alias.version == f"{model}/versions/1"


def test_a_renamed_model_is_exported_by_either_name(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    old, new = registry.model(), name()
    done = metadata.RenameModel(
        api.RenameModelRequest(name=old, new_model_id=new.rpartition("/")[2])
    )
    registry.token = done.consistency_token
    assert export(registry, new) == export(registry, old)
    assert export(registry, new)[0].model == old


def test_a_namespace_without_models_has_no_parts(registry: Registry) -> None:
    own = namespace(registry)
    assert export(registry, f"namespaces/{own}") == []


def test_what_is_not_there_is_refused(registry: Registry) -> None:
    for parent in ("namespaces/nowhere", name()):
        with refused("NOT_FOUND"):
            export(registry, parent)


def test_what_is_no_name_is_refused(registry: Registry) -> None:
    for parent in ("models/a", "namespaces/default/models/a/versions/1", "x"):
        with refused("MALFORMED"):
            export(registry, parent)
    with refused("REQUIRED"):
        export(registry, "")
