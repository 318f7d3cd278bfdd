"""Versions from a client's side: sealed, numbered without gaps, described, archived."""

import math
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import grpc
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.artifact.v1.events_pb2 import ManifestCommitted
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.type.v1.metric_pb2 import Metric
from tests.integration.metadata.registry import ANN, DIGEST, Registry, refused

FULL = ModelVersion(
    description="First",
    metrics=[
        Metric(key="accuracy", value=0.1, unit="%", dataset="sha256:1"),
        Metric(key="accuracy", value=-0.0, dataset="sha256:2"),
        Metric(key="tiny", value=5e-324),
        Metric(key="huge", value=1.7976931348623157e308),
    ],
    params={"depth": "6", "empty": ""},
    tags={"team": "risk"},
    run="namespaces/default/runs/7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d",
)


def test_a_version_reads_back_to_the_last_bit(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    written = registry.version(name, FULL)
    assert (written.number, written.size_bytes, written.file_count) == (1, 12, 2)
    assert (written.creator, written.state) == (f"principals/{ANN}", State.STATE_ACTIVE)
    request = api.GetModelVersionRequest(name=written.name, at_least_as_fresh=registry.token)
    read = metadata.GetModelVersion(request).model_version
    assert read == written
    assert math.copysign(1, read.metrics[1].value) == -1


def test_a_manifest_must_be_committed(registry: Registry, metadata: MetadataServiceStub) -> None:
    version = ModelVersion(manifest_digest="sha256:" + "0" * 64)
    request = api.RegisterModelVersionRequest(parent=registry.model(), model_version=version)
    with refused("MANIFEST_MISSING") as told:
        metadata.RegisterModelVersion(request)
    assert told.code is grpc.StatusCode.FAILED_PRECONDITION


def test_a_manifest_counts_only_in_its_namespace(registry: Registry) -> None:
    namespace = f"n-{uuid4()}"
    registry.stub().CreateNamespace(api.CreateNamespaceRequest(namespace_id=namespace))
    registry.neighbours.commit("default", DIGEST)
    request = api.RegisterModelVersionRequest(
        parent=registry.model(namespace=namespace),
        model_version=ModelVersion(manifest_digest=DIGEST),
    )
    with refused("MANIFEST_MISSING"):
        registry.stub().RegisterModelVersion(request)


def test_a_committed_manifest_is_known_without_the_artifact_service(registry: Registry) -> None:
    registry.neighbours.away.add("artifact")
    version = registry.version(registry.model())
    assert (version.number, version.size_bytes, version.file_count) == (1, 12, 2)


@pytest.mark.parametrize("field", ["deployment", "source"])
def test_a_manifest_of_an_event_that_does_not_count_is_not_committed(
    registry: Registry, field: str
) -> None:
    digest = f"sha256:{uuid4().hex}{uuid4().hex}"
    name = f"namespaces/default/artifacts/{digest.replace(':', '-')}"
    event = ManifestCommitted(name=name, manifest_digest=digest, size_bytes=1, file_count=1)
    registry.neighbours.write(event, **{field: "another"})
    with refused("MANIFEST_MISSING"):
        registry.version(registry.model(), ModelVersion(manifest_digest=digest))


@pytest.mark.parametrize("digest", ["", "sha256:zz", "md5:00", "sha256:" + "0" * 63])
def test_a_digest_has_one_form(registry: Registry, digest: str) -> None:
    request = api.RegisterModelVersionRequest(
        parent=registry.model(), model_version=ModelVersion(manifest_digest=digest)
    )
    with refused("REQUIRED" if not digest else "MALFORMED") as told:
        registry.stub().RegisterModelVersion(request)
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_is_a_finite_number(registry: Registry, value: float) -> None:
    with refused("NOT_FINITE"):
        registry.version(registry.model(), ModelVersion(metrics=[Metric(key="m", value=value)]))


def test_64_writers_at_once_get_the_numbers_1_to_64(registry: Registry) -> None:
    name = registry.model()
    registry.neighbours.commit("default", DIGEST)
    stubs = [registry.stub(channel=channel) for channel in range(8)]

    def register(index: int) -> int:
        request = api.RegisterModelVersionRequest(
            parent=name, model_version=ModelVersion(manifest_digest=DIGEST, description=str(index))
        )
        return stubs[index % 8].RegisterModelVersion(request).model_version.number

    with ThreadPoolExecutor(64) as pool:
        numbers = list(pool.map(register, range(64)))
    assert sorted(numbers) == list(range(1, 65))


def test_a_retried_registration_gets_its_own_version_again(registry: Registry) -> None:
    name = registry.model()
    registry.neighbours.commit("default", DIGEST)
    request = api.RegisterModelVersionRequest(
        parent=name,
        model_version=ModelVersion(manifest_digest=DIGEST, description="mine"),
        request_id=str(uuid4()),
    )
    first = registry.stub().RegisterModelVersion(request)
    assert registry.version(name).number == 2
    registry.alias(name, "champion", 1)
    assert registry.stub().RegisterModelVersion(request) == first
    assert registry.version(name).number == 3


def test_a_version_is_described_and_archived(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    first = registry.version(name, FULL)
    described = metadata.UpdateModelVersion(
        api.UpdateModelVersionRequest(
            model_version=ModelVersion(name=first.name, description="Better", etag=first.etag)
        )
    ).model_version
    assert (described.description, dict(described.tags)) == ("Better", {"team": "risk"})
    with refused("ETAG_MISMATCH"):
        metadata.ArchiveModelVersion(
            api.ArchiveModelVersionRequest(name=first.name, etag=first.etag)
        )
    request = api.ArchiveModelVersionRequest(name=first.name, etag=described.etag)
    answer = metadata.ArchiveModelVersion(request)
    assert answer.model_version.state == State.STATE_ARCHIVED
    read = api.GetModelVersionRequest(name=first.name, at_least_as_fresh=answer.consistency_token)
    assert metadata.GetModelVersion(read).model_version == answer.model_version
    with refused("VERSION_ARCHIVED"):
        registry.alias(name, "champion", 1)


def test_the_holder_of_a_stage_is_not_archived(registry: Registry) -> None:
    name = registry.model()
    version = registry.version(name)
    stage = registry.stage(name, "production", 1)
    with refused("VERSION_HELD") as told:
        registry.stub().ArchiveModelVersion(api.ArchiveModelVersionRequest(name=version.name))
    assert told.metadata["target"] == stage.name


def test_a_run_of_another_namespace_is_none_of_ours(registry: Registry) -> None:
    foreign = ModelVersion(run="namespaces/other/runs/7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d")
    with refused("MALFORMED"):
        registry.version(registry.model(), foreign)
