"""Namespaces and models from a client's side: written, read back, changed, archived."""

from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model, Namespace, State
from tests.integration.metadata.registry import BEN, Registry, refused


def test_the_default_namespace_is_there(registry: Registry, metadata: MetadataServiceStub) -> None:
    registry.model()
    request = api.GetNamespaceRequest(name="namespaces/default", at_least_as_fresh=registry.token)
    answer = metadata.GetNamespace(request)
    assert answer.namespace.name == "namespaces/default"


def test_a_namespace_reads_back_as_it_was_written(metadata: MetadataServiceStub) -> None:
    written = metadata.CreateNamespace(
        api.CreateNamespaceRequest(
            namespace=Namespace(description="Risk models"), namespace_id=f"n-{uuid4()}"
        )
    )
    request = api.GetNamespaceRequest(
        name=written.namespace.name, at_least_as_fresh=written.consistency_token
    )
    assert metadata.GetNamespace(request).namespace == written.namespace
    listed = metadata.ListNamespaces(
        api.ListNamespacesRequest(page_size=1000, at_least_as_fresh=written.consistency_token)
    )
    assert written.namespace in listed.namespaces


def test_a_model_reads_back_as_it_was_written(metadata: MetadataServiceStub) -> None:
    written = metadata.CreateModel(
        api.CreateModelRequest(
            parent="namespaces/default",
            model_id=f"m-{uuid4()}",
            model=Model(description="größer 😀", tags={"team": "risk", "a.b/c": ""}),
        )
    )
    assert written.model.state == State.STATE_ACTIVE
    request = api.GetModelRequest(
        name=written.model.name, at_least_as_fresh=written.consistency_token
    )
    assert metadata.GetModel(request).model == written.model


def test_a_model_needs_its_namespace(metadata: MetadataServiceStub) -> None:
    with refused("NOT_FOUND") as told:
        metadata.CreateModel(api.CreateModelRequest(parent="namespaces/none", model_id="m"))
    assert told.metadata["name"] == "namespaces/none"


def test_a_model_is_there_once(registry: Registry) -> None:
    name = registry.model()
    with refused("ALREADY_EXISTS"):
        registry.model(name.rpartition("/")[2])


@pytest.mark.parametrize("model_id", ["@ a@b", "versions", "aliases", "models", "😀" * 250, "x y"])
def test_odd_names_are_names(registry: Registry, model_id: str) -> None:
    namespace = f"n-{uuid4()}"
    registry.stub().CreateNamespace(api.CreateNamespaceRequest(namespace_id=namespace))
    name = registry.model(model_id, namespace)
    assert registry.version(name).number == 1
    registry.alias(name, "é@"[:1], 1)
    token = (
        registry.stub()
        .SetStage(api.SetStageRequest(name=f"{name}/stages/aliases", version=f"{name}/versions/1"))
        .consistency_token
    )
    for target in (f"{name}/aliases/é", f"{name}/stages/aliases"):
        request = api.ResolveRequest(name=target, at_least_as_fresh=token)
        found = registry.stub().Resolve(request).model_version
        assert (found.name, list(found.aliases), list(found.stages)) == (
            f"{name}/versions/1",
            ["é"],
            ["aliases"],
        )


def test_an_update_reads_back_and_moves_the_etag(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    request = api.GetModelRequest(name=name, at_least_as_fresh=registry.token)
    first = metadata.GetModel(request).model
    update = api.UpdateModelRequest(
        model=Model(name=name, description="new", tags={"a": "1"}, etag=first.etag),
        reason="it was wrong",
    )
    written = metadata.UpdateModel(update)
    assert (written.model.description, written.model.create_time) == ("new", first.create_time)
    assert written.model.etag != first.etag
    request = api.GetModelRequest(name=name, at_least_as_fresh=written.consistency_token)
    assert metadata.GetModel(request).model == written.model
    with refused("ETAG_MISMATCH") as told:
        metadata.UpdateModel(
            api.UpdateModelRequest(model=Model(name=name, description="x", etag=first.etag))
        )
    assert told.metadata["etag"] == written.model.etag


def test_a_mask_can_empty_a_field_and_names_no_other(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    metadata.UpdateModel(
        api.UpdateModelRequest(model=Model(name=name, description="d", tags={"a": "1", "b": "2"}))
    )
    emptied = metadata.UpdateModel(
        api.UpdateModelRequest(model=Model(name=name), update_mask=FieldMask(paths=["description"]))
    )
    assert (emptied.model.description, dict(emptied.model.tags)) == ("", {"a": "1", "b": "2"})
    replaced = metadata.UpdateModel(
        api.UpdateModelRequest(
            model=Model(name=name, tags={"b": "3"}), update_mask=FieldMask(paths=["*"])
        )
    )
    assert dict(replaced.model.tags) == {"b": "3"}
    with refused("MALFORMED"):
        metadata.UpdateModel(
            api.UpdateModelRequest(model=Model(name=name), update_mask=FieldMask(paths=["state"]))
        )


def test_an_archived_model_takes_nothing_until_it_is_restored(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    archived = metadata.ArchiveModel(api.ArchiveModelRequest(name=name)).model
    assert archived.state == State.STATE_ARCHIVED
    with refused("MODEL_ARCHIVED"):
        registry.version(name)
    with refused("ETAG_MISMATCH"):
        metadata.RestoreModel(api.RestoreModelRequest(name=name, etag='"1"'))
    restored = metadata.RestoreModel(api.RestoreModelRequest(name=name, etag=archived.etag))
    assert restored.model.state == State.STATE_ACTIVE
    assert registry.version(name).number == 1


def test_the_same_request_again_gets_the_same_answer(registry: Registry) -> None:
    request = api.CreateModelRequest(
        parent="namespaces/default", model_id=f"m-{uuid4()}", request_id=str(uuid4())
    )
    first = registry.stub().CreateModel(request)
    registry.stub().UpdateModel(
        api.UpdateModelRequest(model=Model(name=first.model.name, description="later"))
    )
    assert registry.stub().CreateModel(request) == first


def test_a_request_id_is_for_one_request_of_one_person(registry: Registry) -> None:
    name = registry.model()
    request = api.UpdateModelRequest(
        model=Model(name=name, description="a"), request_id=str(uuid4())
    )
    registry.stub().UpdateModel(request)
    with refused("REQUEST_ID_REUSED"):
        registry.stub(BEN).UpdateModel(request)
    request.model.description = "b"
    with refused("REQUEST_ID_REUSED"):
        registry.stub().UpdateModel(request)


def test_the_history_tells_who_did_what_and_why(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    registry.version(name)
    update = api.UpdateModelRequest(
        model=Model(name=name, description="new"), reason="asked by Ben"
    )
    token = metadata.UpdateModel(update).consistency_token
    request = api.ListModelHistoryRequest(parent=name, at_least_as_fresh=token)
    entries = metadata.ListModelHistory(request).entries
    assert [entry.type.rpartition(".")[2] for entry in entries] == [
        "ModelUpdated",
        "ModelVersionRegistered",
        "ModelCreated",
    ]
    assert (entries[0].reason, list(entries[0].changes)) == ("asked by Ben", ["description: new"])
    assert entries[0].actor == "principals/7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
    assert entries[1].resource == f"{name}/versions/1"
    paged = api.ListModelHistoryRequest(parent=name, page_size=2)
    first = metadata.ListModelHistory(paged)
    paged.page_token = first.next_page_token
    assert [*first.entries, *metadata.ListModelHistory(paged).entries] == list(entries)
