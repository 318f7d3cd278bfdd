"""Many resources at once, by whatever names they have."""

from uuid import uuid4

import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import Registry, refused, revision

DEFAULT = "namespaces/default"


def test_models_come_in_the_order_asked_and_the_missing_are_named(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    first, second = registry.model(), registry.model()
    new = f"new-{uuid4()}"
    answer = metadata.RenameModel(api.RenameModelRequest(name=first, new_model_id=new))
    names = [second, f"{DEFAULT}/models/none", f"{DEFAULT}/models/{new}", first, second]
    found = metadata.BatchGetModels(
        api.BatchGetModelsRequest(
            parent=DEFAULT, names=names, at_least_as_fresh=answer.consistency_token
        )
    )
    assert [model.name for model in found.models] == [second, first, first, second]
    assert found.models[1] == answer.model
    assert list(found.missing_names) == [f"{DEFAULT}/models/none"]


def test_versions_come_in_the_order_asked_and_the_missing_are_named(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name, new = registry.model(), f"new-{uuid4()}"
    versions = [registry.version(name, ModelVersion(description=text)) for text in ("a", "b")]
    answer = metadata.RenameModel(api.RenameModelRequest(name=name, new_model_id=new))
    names = [versions[1].name, f"{DEFAULT}/models/{new}/versions/1", f"{name}/versions/3"]
    found = metadata.BatchGetModelVersions(
        api.BatchGetModelVersionsRequest(
            parent=DEFAULT, names=names, at_least_as_fresh=answer.consistency_token
        )
    )
    assert list(found.model_versions) == versions[::-1]
    assert list(found.missing_names) == [f"{name}/versions/3"]
    then = api.BatchGetModelVersionsRequest(
        parent=DEFAULT,
        names=names,
        at_least_as_fresh=answer.consistency_token,
        as_of=Moment(revision=revision(versions[0].etag)),
    )
    at_first = metadata.BatchGetModelVersions(then)
    assert not at_first.model_versions  # the second was not there, nor was the other name
    assert list(at_first.missing_names) == names


def test_a_thousand_names_are_one_question(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    there = registry.version(registry.model())
    names = [f"{DEFAULT}/models/none/versions/{number}" for number in range(1, 1000)]
    request = api.BatchGetModelVersionsRequest(
        parent=DEFAULT, names=[*names, there.name], at_least_as_fresh=registry.token
    )
    found = metadata.BatchGetModelVersions(request)
    assert list(found.model_versions) == [there]
    assert list(found.missing_names) == names
    request.names.append(there.name)
    with refused("TOO_LARGE"):
        metadata.BatchGetModelVersions(request)


@pytest.mark.parametrize("name", ["churn", "namespaces/other/models/churn"])
def test_names_are_of_the_namespace(metadata: MetadataServiceStub, name: str) -> None:
    with refused("MALFORMED"):
        metadata.BatchGetModels(api.BatchGetModelsRequest(parent=DEFAULT, names=[name]))


def test_an_answer_that_clients_cannot_take_is_not_made(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    version = registry.version(registry.model(), ModelVersion(description="x" * 16_384))
    request = api.BatchGetModelVersionsRequest(
        parent=DEFAULT, names=[version.name] * 300, at_least_as_fresh=registry.token
    )
    with refused("TOO_LARGE"):
        metadata.BatchGetModelVersions(request)
