"""What models and versions say of themselves: kept, read at any moment, changed with a trace."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import (
    Format,
    Imported,
    Model,
    ModelCard,
    ModelVersion,
    Signature,
    Tensor,
)
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import DIGEST, Registry, refused, revision

IMPORTED = Imported(
    source="mlflow:http://127.0.0.1:5000",
    author="größer 😀",
    create_time=Timestamp(seconds=1_700_000_000, nanos=5_000_000),
    claims={"run_link": "x"},
)
FULL = ModelVersion(
    card=ModelCard(schema="assay/card/v1", purpose="Who leaves", licence="Apache-2.0"),
    signature=Signature(
        inputs=[Tensor(name="age", type="float32", shape=[-1, 28], is_optional=True)],
        outputs=[Tensor(type="long")],
    ),
    format=Format(name="onnx", version="1.17", flavors={"onnx": '{"data": "model.onnx"}'}),
    semantic_version="2.1.0-rc.1+build.5",
    imported=IMPORTED,
)


def _model(registry: Registry, model: Model) -> Model:
    name = registry.model()  # a free name, to begin with
    request = api.CreateModelRequest(
        parent="namespaces/default", model_id=f"{name.rpartition('/')[2]}-x", model=model
    )
    answer = registry.stub().CreateModel(request)
    registry.token = answer.consistency_token
    return answer.model


def _read(registry: Registry, name: str, as_of: int = 0) -> Model:
    moment = Moment(revision=as_of) if as_of else None
    request = api.GetModelRequest(name=name, at_least_as_fresh=registry.token, as_of=moment)
    return registry.stub().GetModel(request).model


@pytest.mark.requirement("W12.1")
def test_a_model_keeps_all_that_it_says_of_itself(registry: Registry) -> None:
    given = Model(
        owners=["teams/risk", "größer 😀"], intended_use="Loans", tier="high", imported=IMPORTED
    )
    written = _model(registry, given)
    assert (list(written.owners), written.tier) == (["teams/risk", "größer 😀"], "high")
    assert written.display_name == written.name.rpartition("/")[2]
    assert written.imported == IMPORTED
    assert _read(registry, written.name) == written


@pytest.mark.requirement("A3", "W12.1")
def test_a_model_changes_its_owners_and_tells_what_they_were(registry: Registry) -> None:
    stub = registry.stub()
    before = _model(registry, Model(owners=["teams/risk"], tier="high", intended_use="Loans"))
    changed = stub.UpdateModel(
        api.UpdateModelRequest(
            model=Model(name=before.name, owners=["teams/ops"]),
            update_mask=FieldMask(paths=["owners", "tier"]),
        )
    )
    registry.token = changed.consistency_token
    after = changed.model
    assert (list(after.owners), after.tier, after.intended_use) == (["teams/ops"], "", "Loans")
    assert _read(registry, before.name) == after
    assert _read(registry, before.name, revision(before.etag)) == before
    request = api.ListModelHistoryRequest(parent=before.name, at_least_as_fresh=registry.token)
    assert "owners: teams/ops" in stub.ListModelHistory(request).entries[0].changes


@pytest.mark.parametrize(
    "model",
    [
        Model(owners=[""]),
        Model(owners=["x" * 129]),
        Model(owners=["a\nb"]),
        Model(owners=["a\u202eb"]),
        Model(owners=["a", "a"]),
        Model(tier="High"),
        Model(tier="a b"),
    ],
    ids=str,
)
def test_an_owner_and_a_tier_have_a_form(registry: Registry, model: Model) -> None:
    with refused("MALFORMED"):
        _model(registry, model)


@pytest.mark.requirement("W12.1")
def test_a_version_keeps_all_that_it_says_of_itself(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    base, name = registry.model(), registry.model()
    parent = registry.version(base)
    given = ModelVersion()
    given.CopyFrom(FULL)
    given.parent_versions.append(parent.name)
    written = registry.version(name, given)
    for field in ("card", "signature", "format", "semantic_version", "imported"):
        assert getattr(written, field) == getattr(FULL, field), field
    assert list(written.parent_versions) == [parent.name]
    request = api.GetModelVersionRequest(name=written.name, at_least_as_fresh=registry.token)
    assert metadata.GetModelVersion(request).model_version == written
    listed = metadata.ListModelVersions(
        api.ListModelVersionsRequest(parent=name, at_least_as_fresh=registry.token)
    )
    assert list(listed.model_versions) == [written]


def test_a_card_is_rewritten_and_the_old_one_is_still_there(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    before = registry.version(registry.model(), FULL)
    card = ModelCard(purpose="Who stays")
    changed = metadata.UpdateModelVersion(
        api.UpdateModelVersionRequest(model_version=ModelVersion(name=before.name, card=card))
    )
    assert changed.model_version.card == ModelCard(schema="assay/card/v1", purpose="Who stays")
    as_of = Moment(revision=revision(before.etag))
    request = api.GetModelVersionRequest(
        name=before.name, at_least_as_fresh=changed.consistency_token
    )
    assert metadata.GetModelVersion(request).model_version == changed.model_version
    request.as_of.CopyFrom(as_of)
    assert metadata.GetModelVersion(request).model_version == before


def test_a_card_of_another_form_is_refused(registry: Registry) -> None:
    with refused("MALFORMED"):
        registry.version(registry.model(), ModelVersion(card=ModelCard(schema="x/v2", data="d")))


@pytest.mark.parametrize("text", ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+ä"])
def test_a_semantic_version_has_the_form_of_semver_org(registry: Registry, text: str) -> None:
    with refused("MALFORMED"):
        registry.version(registry.model(), ModelVersion(semantic_version=text))


def test_a_semantic_version_is_given_once_in_a_model(registry: Registry) -> None:
    name, given = registry.model(), ModelVersion(semantic_version="1.0.0")
    registry.version(name, given)
    with refused("ALREADY_EXISTS") as told:
        registry.version(name, given)
    assert "1.0.0" in told.message
    assert registry.version(registry.model(), given).semantic_version == "1.0.0"


def test_a_parent_is_there_and_in_the_same_namespace(registry: Registry) -> None:
    name = registry.model()
    with refused("NOT_FOUND"):
        registry.version(name, ModelVersion(parent_versions=[f"{name}/versions/1"]))
    with refused("NOT_FOUND"):
        registry.version(name, ModelVersion(parent_versions=[f"{name}-none/versions/1"]))
    with refused("MALFORMED"):
        foreign = "namespaces/other/models/churn/versions/1"
        registry.version(name, ModelVersion(parent_versions=[foreign]))


def test_files_elsewhere_are_referred_to_by_what_the_caller_claims(registry: Registry) -> None:
    name, uri = registry.model(), "oci://registry.example/churn@sha256:1"
    registry.neighbours.away.add("artifact")  # it is not asked
    written = registry.version(name, ModelVersion(external_uri=uri))
    assert (written.external_uri, written.manifest_digest) == (uri, DIGEST)
    assert not written.is_draft
    request = api.RegisterModelVersionRequest(
        parent=name, model_version=ModelVersion(external_uri=uri)
    )
    assert registry.stub().RegisterModelVersion(request).model_version.number == 2


@pytest.mark.parametrize("uri", ["nowhere", "oci://a b", "https://ann:secret@host/x", "x:\u202e"])
def test_an_external_uri_has_a_form_and_no_password(registry: Registry, uri: str) -> None:
    with refused("MALFORMED") as told:
        registry.version(registry.model(), ModelVersion(external_uri=uri))
    assert "secret" not in told.message


def test_10_000_tags_on_a_version_are_too_many(registry: Registry) -> None:
    tags = {str(number): "x" for number in range(10_000)}
    with refused("TOO_LARGE") as told:
        registry.version(registry.model(), ModelVersion(tags=tags))
    assert "tags" in told.metadata["field"]
    assert "1000" in told.message
