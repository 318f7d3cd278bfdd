"""A version's way: a draft with a number, sealed with files, archived, restored."""

import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import DIGEST, Registry, refused, revision

OTHER_DIGEST = "sha256:" + "7" * 64


def _draft(registry: Registry, model: str) -> ModelVersion:
    request = api.RegisterModelVersionRequest(
        parent=model, model_version=ModelVersion(is_draft=True)
    )
    answer = registry.stub().RegisterModelVersion(request)
    registry.token = answer.consistency_token
    return answer.model_version


def _read(registry: Registry, name: str, as_of: int = 0) -> ModelVersion:
    moment = Moment(revision=as_of) if as_of else None
    request = api.GetModelVersionRequest(name=name, at_least_as_fresh=registry.token, as_of=moment)
    return registry.stub().GetModelVersion(request).model_version


def _seal(registry: Registry, name: str, digest: str = DIGEST) -> ModelVersion:
    request = api.SealModelVersionRequest(name=name, manifest_digest=digest)
    answer = registry.stub().SealModelVersion(request)
    registry.token = answer.consistency_token
    return answer.model_version


def test_a_draft_has_a_number_and_gets_its_files_later(registry: Registry) -> None:
    draft = _draft(registry, registry.model())
    assert (draft.number, draft.state, draft.is_draft) == (1, State.STATE_DRAFT, True)
    assert _read(registry, draft.name) == draft
    registry.neighbours.commit("default", DIGEST)
    sealed = _seal(registry, draft.name)
    assert (sealed.state, sealed.is_draft) == (State.STATE_ACTIVE, False)
    assert (sealed.manifest_digest, sealed.size_bytes, sealed.file_count) == (DIGEST, 12, 2)
    assert _read(registry, draft.name) == sealed
    assert _read(registry, draft.name, revision(draft.etag)) == draft


def test_a_seal_does_not_break(registry: Registry) -> None:
    version = registry.version(registry.model())
    assert _seal(registry, version.name) == version
    registry.neighbours.commit("default", OTHER_DIGEST)
    with refused("VERSION_SEALED"):
        _seal(registry, version.name, OTHER_DIGEST)


def test_a_draft_is_sealed_with_a_committed_manifest(registry: Registry) -> None:
    draft = _draft(registry, registry.model())
    with refused("MANIFEST_MISSING"):
        _seal(registry, draft.name, "sha256:" + "9" * 64)
    with refused("REQUIRED"):
        _seal(registry, draft.name, "")


def test_no_alias_and_no_stage_takes_a_draft(registry: Registry) -> None:
    name = registry.model()
    _draft(registry, name)
    with refused("VERSION_DRAFT"):
        registry.alias(name, "champion", 1)
    with refused("VERSION_DRAFT"):
        registry.stage(name, "production", 1)


def test_a_draft_has_no_files(registry: Registry, metadata: MetadataServiceStub) -> None:
    for given in (
        ModelVersion(is_draft=True, manifest_digest=DIGEST),
        ModelVersion(is_draft=True, external_uri="oci://x"),
    ):
        request = api.RegisterModelVersionRequest(parent=registry.model(), model_version=given)
        with refused("MALFORMED"):
            metadata.RegisterModelVersion(request)


@pytest.mark.parametrize("is_draft", [True, False])
def test_an_archived_version_comes_back_as_what_it_was(
    registry: Registry, metadata: MetadataServiceStub, *, is_draft: bool
) -> None:
    name = registry.model()
    version = _draft(registry, name) if is_draft else registry.version(name)
    archived = metadata.ArchiveModelVersion(api.ArchiveModelVersionRequest(name=version.name))
    assert archived.model_version.state == State.STATE_ARCHIVED
    if is_draft:
        with refused("VERSION_ARCHIVED"):
            _seal(registry, version.name)
    answer = metadata.RestoreModelVersion(
        api.RestoreModelVersionRequest(name=version.name, etag=archived.model_version.etag)
    )
    registry.token = answer.consistency_token
    assert answer.model_version.state == version.state
    assert _read(registry, version.name) == answer.model_version
    again = metadata.RestoreModelVersion(api.RestoreModelVersionRequest(name=version.name))
    assert again.model_version == answer.model_version


def test_drafts_are_found_by_their_state(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = registry.model()
    registry.version(name)
    draft = _draft(registry, name)
    request = api.ListModelVersionsRequest(
        parent=name, filter='state = "DRAFT"', at_least_as_fresh=registry.token
    )
    assert list(metadata.ListModelVersions(request).model_versions) == [draft]
