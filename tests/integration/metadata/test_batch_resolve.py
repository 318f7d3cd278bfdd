"""Many names resolved at once: in the order asked, with a gap where a name points at nothing."""

import grpc
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import Registry, refused, revision


def asked(*names: str, token: str = "") -> api.BatchResolveRequest:
    return api.BatchResolveRequest(
        parent="namespaces/default", names=names, at_least_as_fresh=token
    )


def test_names_resolve_in_the_order_asked(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    one, other = registry.model(), registry.model()
    for name in (one, one, other):
        registry.version(name)
    registry.alias(one, "champion", 2)
    registry.stage(other, "production", 1)
    names = [f"{other}/stages/production", f"{one}/aliases/none", f"{one}/aliases/champion"]
    request = asked(*names, names[0], token=registry.token)
    resolved = metadata.BatchResolve(request).resolved
    assert [found.name for found in resolved] == [*names, names[0]]
    assert [found.model_version.name for found in resolved] == [
        f"{other}/versions/1",
        "",
        f"{one}/versions/2",
        f"{other}/versions/1",
    ]
    assert not resolved[1].HasField("model_version")
    single = metadata.Resolve(api.ResolveRequest(name=names[2])).model_version
    assert resolved[2].model_version == single


def test_a_thousand_names_are_one_call(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = registry.model()
    registry.version(name)
    labels = [f"a{number}" for number in range(20)]
    for label in labels:
        registry.alias(name, label, 1)
    names = [f"{name}/aliases/{labels[number % 20]}" for number in range(1000)]
    answer = metadata.BatchResolve(asked(*names, token=registry.token))
    assert len(answer.resolved) == 1000
    assert all(found.model_version.number == 1 for found in answer.resolved)
    with refused("TOO_LARGE") as told:
        metadata.BatchResolve(asked(*names, names[0]))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT


def test_names_resolve_as_of_a_moment(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = registry.model()
    registry.version(name)
    registry.version(name)
    before = registry.alias(name, "champion", 1)
    registry.alias(name, "champion", 2)
    request = asked(before.name, token=registry.token)
    request.as_of.CopyFrom(Moment(revision=revision(before.etag)))
    (found,) = metadata.BatchResolve(request).resolved
    assert found.model_version.number == 1


@pytest.mark.parametrize(
    "name",
    [
        "namespaces/risk/models/churn/aliases/champion",
        "namespaces/default/models/churn",
        "namespaces/default/models/churn/versions/1",
        "",
    ],
)
def test_what_is_no_alias_or_stage_of_the_namespace_is_refused(
    metadata: MetadataServiceStub, name: str
) -> None:
    with refused("MALFORMED") as told:
        metadata.BatchResolve(asked(name))
    assert told.code is grpc.StatusCode.INVALID_ARGUMENT


def test_no_names_are_refused(metadata: MetadataServiceStub) -> None:
    with refused("REQUIRED"):
        metadata.BatchResolve(asked())
