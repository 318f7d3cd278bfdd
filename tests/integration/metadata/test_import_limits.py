"""What an import takes at most, and how it names what is wrong with a batch or an item."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import (
    Alias,
    ModelVersion,
    Stage,
    State,
)
from assay.type.v1.metric_pb2 import Metric
from tests.integration.metadata.importing import (
    alias,
    batch,
    export,
    items_of,
    name,
    new_model,
    send,
    version,
)
from tests.integration.metadata.registry import Registry, refused


def test_five_hundred_items_fit_and_one_more_does_not(registry: Registry) -> None:
    model = name()
    items = [new_model(model), *(version(model) for _ in range(499))]
    (answer,) = send(registry, [batch(model, items)])
    assert answer.written_versions == 499
    with refused("TOO_LARGE") as told:
        list(send(registry, [batch(model, [version(model) for _ in range(501)])]))
    assert told.metadata["field"] == "items"


def test_a_batch_that_makes_a_thousand_events_fits(registry: Registry) -> None:
    model, archived = name(), ModelVersion(state=State.STATE_ARCHIVED)
    list(send(registry, [batch(model, [new_model(model)])]))
    (answer,) = send(registry, [batch(model, [version(model, 0, archived) for _ in range(500)])])
    assert answer.written_versions == 500


def test_an_item_that_is_too_large_is_named(registry: Registry) -> None:
    model = name()
    large = ModelVersion(params={str(key): "x" * 1000 for key in range(100)})
    with refused("TOO_LARGE") as told:
        list(send(registry, [batch(model, [new_model(model), version(model, 1, large)])]))
    assert told.metadata["field"] == "items[1].model_version.params"
    with refused("NOT_FOUND"):
        export(registry, model)


def test_a_batch_of_nearly_16_mib_is_written_and_a_larger_one_is_not(registry: Registry) -> None:
    model = name()
    large = ModelVersion(params={str(key): "x" * 1000 for key in range(33)})
    list(send(registry, [batch(model, [new_model(model)])]))
    request = batch(model, [version(model, number, large) for number in range(1, 491)])
    assert 15.5 < request.ByteSize() / 2**20 < 16
    (answer,) = send(registry, [request])
    assert answer.written_versions == 490
    larger = ModelVersion(params={str(key): "x" * 1000 for key in range(36)})
    request = batch(model, [version(model, number, larger) for number in range(491, 991)])
    with pytest.raises(grpc.RpcError) as caught:
        list(send(registry, [request]))
    call: Any = caught.value
    assert call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


OTHER = "namespaces/default/models/another"
METRIC = ModelVersion(metrics=[Metric(value=1)])
WRONG: list[tuple[str, Callable[[str], api.ImportItem]]] = [
    ("item", lambda _: api.ImportItem()),
    ("model.name", lambda _: new_model(OTHER)),
    ("model_version.name", lambda _: version(OTHER, 1)),
    ("model_version.number", lambda m: version(m, 2)),
    ("model_version.number", lambda m: numbered(m, 1, 2)),
    ("model_version.metrics", lambda m: version(m, 1, METRIC)),
    ("model_version.semantic_version", lambda m: version(m, 1, ModelVersion(semantic_version="1"))),
    ("model_version.manifest_digest", lambda _: api.ImportItem(model_version=ModelVersion())),
    ("model_version", lambda m: version(m, 1, ModelVersion(manifest_digest="md5:1"))),
    (
        "model_version.run",
        lambda m: version(m, 1, ModelVersion(run=f"namespaces/b/runs/{uuid4()}")),
    ),
    ("model_version.tags", lambda m: version(m, 1, ModelVersion(tags={"": "x"}))),
    ("model_version.description", lambda m: version(m, 1, ModelVersion(description="x" * 16385))),
    ("alias", lambda _: alias("models/a", "a", 1)),
    ("alias.name", lambda _: alias(OTHER, "a", 1)),
    ("alias.version", lambda m: api.ImportItem(alias=Alias(name=f"{m}/aliases/a"))),
    ("stage.version", lambda m: api.ImportItem(stage=Stage(name=f"{m}/stages/a"))),
    (
        "stage.version",
        lambda m: api.ImportItem(stage=Stage(name=f"{m}/stages/a", version=f"{OTHER}/versions/1")),
    ),
]


def numbered(model: str, in_name: int, number: int) -> api.ImportItem:
    """Return a version with two numbers."""
    item = version(model, in_name)
    item.model_version.number = number
    return item


@pytest.mark.parametrize(("field", "make"), WRONG)
def test_a_wrong_item_is_named_with_its_field(
    registry: Registry, field: str, make: Callable[[str], api.ImportItem]
) -> None:
    model = registry.model()
    with pytest.raises(grpc.RpcError) as caught:
        list(send(registry, [batch(model, [make(model)])]))
    call: Any = caught.value
    assert call.code() == grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(call)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.metadata["field"].startswith(f"items[0].{field}"), info
    assert len(items_of(export(registry, model))) == 1


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("model", api.ImportRequest(import_id=str(uuid4()), batch=1)),
        ("import_id", api.ImportRequest(model=OTHER, batch=1)),
        ("import_id", api.ImportRequest(model=OTHER, batch=1, import_id="mine")),
        ("batch", api.ImportRequest(model=OTHER, import_id=str(uuid4()))),
        ("items", api.ImportRequest(model=OTHER, import_id=str(uuid4()), batch=1)),
    ],
)
def test_a_wrong_batch_is_named_with_its_field(
    registry: Registry, field: str, wrong: api.ImportRequest
) -> None:
    if field != "items":
        wrong.items.append(new_model(OTHER))
    with pytest.raises(grpc.RpcError) as caught:
        list(send(registry, [wrong]))
    call: Any = caught.value
    assert call.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in str(rpc_status.from_call(call))


def test_a_namespace_that_is_not_there_is_refused(registry: Registry) -> None:
    model = name(namespace="nowhere")
    with refused("NOT_FOUND"):
        list(send(registry, [batch(model, [new_model(model)])]))
