"""What a careless or hostile client may send: refused with a reason, and the service goes on."""

from uuid import uuid4

import grpc
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from tests.integration.metadata.registry import DIGEST, Registry, refused

TEN_MEGABYTES = "x" * 10_000_000


@pytest.mark.parametrize(
    "model_id",
    ["", " ", ".", "..", "a/b", "a:b", "a\0b", "a\nb", "x" * 251, "é" * 251, "\u2028", "../../x"],
)
def test_no_model_has_such_a_name(metadata: MetadataServiceStub, model_id: str) -> None:
    request = api.CreateModelRequest(parent="namespaces/default", model_id=model_id)
    with refused("MALFORMED" if model_id else "REQUIRED") as told:
        metadata.CreateModel(request)
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "character",
    ["\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u00ad", "\u3164", "\u2800", "\U000e0041"],
    ids=ascii,
)
def test_no_name_hides_a_character(registry: Registry, character: str) -> None:
    with refused("MALFORMED") as told:
        registry.model(f"chu{character}rn-{uuid4()}")
    assert "invisible" in told.message
    name = registry.model()
    registry.version(name)
    with refused("MALFORMED"):
        registry.alias(name, f"cham{character}pion", 1)


def test_letters_of_two_scripts_make_two_names(registry: Registry) -> None:
    latin = f"cap-{uuid4()}"
    cyrillic = latin.replace("a", "\u0430")
    assert registry.model(latin) != registry.model(cyrillic)


@pytest.mark.parametrize("length", [250, 1])
def test_250_characters_are_a_name(registry: Registry, length: int) -> None:
    name = registry.model(uuid4().hex[:length].ljust(length, "😀"))
    registry.version(name)
    registry.alias(name, "😀" * 63, 1)
    request = api.GetModelRequest(name=name, at_least_as_fresh=registry.token)
    assert registry.stub().GetModel(request).model.name == name


@pytest.mark.parametrize("namespace_id", ["", "Risk", "a_b", "-a", "a" * 64, "ä", "a/b"])
def test_no_namespace_has_such_a_name(metadata: MetadataServiceStub, namespace_id: str) -> None:
    with refused("MALFORMED" if namespace_id else "REQUIRED"):
        metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id=namespace_id))


@pytest.mark.parametrize("label", ["", " a", "a@b", "a:b", "a\0", "x" * 64])
def test_no_alias_has_such_a_name(registry: Registry, label: str) -> None:
    name = registry.model()
    registry.version(name)
    with refused("MALFORMED"):
        registry.alias(name, label, 1)


@pytest.mark.parametrize(
    "model",
    [
        Model(description=TEN_MEGABYTES),
        Model(description="x" * 16_385),
        Model(tags={"a": TEN_MEGABYTES}),
        Model(tags={"a" * 1025: ""}),
        Model(tags={str(number): "" for number in range(1001)}),
        Model(tags={str(number): "x" * 1024 for number in range(100)}),
    ],
    ids=["10 MB text", "16 KiB + 1", "10 MB tag", "long key", "1001 tags", "a large event"],
)
def test_what_is_too_large_names_its_field(metadata: MetadataServiceStub, model: Model) -> None:
    request = api.CreateModelRequest(
        parent="namespaces/default", model_id=f"m-{uuid4()}", model=model
    )
    with refused("TOO_LARGE") as told:
        metadata.CreateModel(request)
    assert "description" in told.metadata["field"] or "tags" in told.metadata["field"]


@pytest.mark.parametrize(
    "model",
    [Model(description="a\0b"), Model(tags={"a": "\0"}), Model(tags={"\0": ""})],
    ids=["text", "tag", "key"],
)
def test_nul_is_no_text(metadata: MetadataServiceStub, model: Model) -> None:
    request = api.CreateModelRequest(parent="namespaces/default", model_id="m", model=model)
    with refused("MALFORMED"):
        metadata.CreateModel(request)


def test_a_tag_needs_a_key(metadata: MetadataServiceStub) -> None:
    request = api.CreateModelRequest(
        parent="namespaces/default", model_id="m", model=Model(tags={"": "x"})
    )
    with refused("REQUIRED"):
        metadata.CreateModel(request)


@pytest.mark.parametrize(
    "name",
    [
        "churn",
        "namespaces/default/models/churn/versions/1/",
        "namespaces/default/models/churn/versions/0",
        "namespaces/default/models/churn/versions/01",
        "namespaces/default/models/churn/versions/1e3",
        "namespaces/default/models/churn/versions/99999999999999999999",
        "namespaces/default/models/churn'; --/versions/x",
    ],
)
def test_a_name_has_one_form(metadata: MetadataServiceStub, name: str) -> None:
    with refused("MALFORMED"):
        metadata.GetModelVersion(api.GetModelVersionRequest(name=name))


def test_a_name_finds_itself_in_whatever_form_it_is_spelled(registry: Registry) -> None:
    composed, decomposed = f"é-{uuid4()}", ""
    registry.model(composed)
    decomposed = composed.replace("é", "e\u0301")
    request = api.GetModelRequest(
        name=f"namespaces/default/models/{decomposed}", at_least_as_fresh=registry.token
    )
    assert registry.stub().GetModel(request).model.name.endswith(composed)
    with refused("ALREADY_EXISTS"):
        registry.model(decomposed)


def test_the_longest_tags_and_params_are_kept_and_found(registry: Registry) -> None:
    name = registry.model(uuid4().hex.ljust(250, "😀"))
    # Random text, which no index can compress away.
    key, value = (("".join(uuid4().hex for _ in range(32))) for _ in range(2))
    version = ModelVersion(manifest_digest=DIGEST, tags={key: value}, params={key: value})
    registry.version(name, version)
    for field in ("tags", "params"):
        request = api.ListModelVersionsRequest(
            parent=name, filter=f'{field}.{key} = "{value}"', at_least_as_fresh=registry.token
        )
        assert len(registry.stub().ListModelVersions(request).model_versions) == 1


def test_a_token_is_needed(registry: Registry) -> None:
    stub = MetadataServiceStub(registry.channels[0])
    with refused("UNAUTHENTICATED"):
        stub.GetNamespace(api.GetNamespaceRequest(name="namespaces/default"))


def test_a_consistency_token_is_one_of_ours(metadata: MetadataServiceStub) -> None:
    with refused("MALFORMED"):
        metadata.GetNamespace(
            api.GetNamespaceRequest(name="namespaces/default", at_least_as_fresh="12")
        )
