"""What happened, with values before and after; what differs between moments and versions."""

from hashlib import sha256
from uuid import uuid4

import grpc
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model, ModelCard, ModelVersion
from assay.type.v1.metric_pb2 import Metric
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import Registry, refused, revision

OTHER_DIGEST = "sha256:" + sha256(b"another manifest").hexdigest()
Told = tuple[str, str, str]


def told(registry: Registry, name: str) -> list[list[Told]]:
    request = api.ListHistoryRequest(name=name, at_least_as_fresh=registry.token, page_size=2)
    found = list[list[Told]]()
    while True:
        answer = registry.stub().ListHistory(request)
        for entry in answer.entries:
            found.append([(c.field, c.previous_value, c.value) for c in entry.field_changes])
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            return found


def differences(
    registry: Registry, name: str, from_: int, to: int = 0, size: int = 2
) -> list[tuple[str, str, str, str]]:
    request = api.DiffRequest(
        name=name, from_moment=Moment(revision=from_), page_size=size,
        at_least_as_fresh=registry.token,
    )  # fmt: skip
    if to:
        request.to_moment.revision = to
    found = list[tuple[str, str, str, str]]()
    while True:
        answer = registry.stub().Diff(request)
        found += [(c.resource, c.field, c.previous_value, c.value) for c in answer.changes]
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            return found


@pytest.mark.requirement("A3")
def test_history_has_the_values_before_and_after(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    one = registry.version(name, ModelVersion(tags={"a": "1", "b": "2"}))
    registry.version(name)
    registry.alias(name, "champion", 1)
    alias = registry.alias(name, "champion", 2)
    given = ModelVersion(
        name=one.name, tags={"a": "9"}, description="new", card=ModelCard(purpose="credit")
    )
    metadata.UpdateModelVersion(api.UpdateModelVersionRequest(model_version=given, reason="why"))
    model = Model(name=name, description="d")
    registry.token = metadata.UpdateModel(api.UpdateModelRequest(model=model)).consistency_token

    assert told(registry, name)[0] == [("description", "", "d")]
    versions = told(registry, one.name)
    assert sorted(versions[0]) == [
        ("card.purpose", "", "credit"),
        ("card.schema", "", "assay/card/v1"),
        ("description", "", "new"),
        ("tags.a", "1", "9"),
        ("tags.b", "2", ""),
    ]
    assert ("state", "", "ACTIVE") in versions[1]
    assert told(registry, alias.name) == [
        [("version", f"{name}/versions/1", f"{name}/versions/2")],
        [("version", "", f"{name}/versions/1")],
    ]
    assert len(told(registry, name)) == 7
    for absent in (f"{name}/aliases/none", f"{name}-none", "namespaces/none"):
        with refused("NOT_FOUND"):
            told(registry, absent)


def test_a_diff_is_what_is_different_in_the_end(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    space = f"s{uuid4().hex[:12]}"
    metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id=space))
    name = registry.model("a", space)
    start = revision(
        metadata.GetModel(
            api.GetModelRequest(name=name, at_least_as_fresh=registry.token)
        ).model.etag
    )
    registry.version(name)
    champion = registry.alias(name, "champion", 1)
    for description in ("x", "y", ""):
        model = Model(name=name, description=description)
        request = api.UpdateModelRequest(model=model)
        request.update_mask.paths.append("description")
        registry.token = metadata.UpdateModel(request).consistency_token
    other = registry.model("b", space)
    end = registry.version(other)

    changed = differences(registry, name, start)
    assert "description" not in {field for _, field, _, _ in changed}
    assert (champion.name, "version", "", f"{name}/versions/1") in changed
    assert changed == sorted(changed)
    assert len(set(changed)) == len(changed)
    whole = differences(registry, f"namespaces/{space}", start, size=1000)
    assert {resource for resource, *_ in whole} == {
        champion.name, f"{name}/versions/1", other, end.name
    }  # fmt: skip
    at = revision(champion.etag)
    assert champion.name in {r for r, *_ in differences(registry, name, start, at)}
    assert champion.name not in {r for r, *_ in differences(registry, name, start, at - 1)}
    assert differences(registry, name, at, at) == []
    for from_, to in ((at, at - 1), (10**9, 0), (0, at)):
        with refused("BAD_MOMENT"):
            differences(registry, name, from_, to)
    with refused("NOT_FOUND"):
        differences(registry, f"namespaces/{space}/models/none", start)
    with refused("MALFORMED"):
        differences(registry, end.name, start)


def test_two_versions_are_compared_field_by_field_and_file_by_file(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    one = registry.version(
        name, ModelVersion(metrics=[Metric(key="auc", value=0.5)], params={"depth": "6"})
    )
    registry.neighbours.commit("default", OTHER_DIGEST)
    two = registry.version(
        name,
        ModelVersion(
            manifest_digest=OTHER_DIGEST,
            metrics=[Metric(key="auc", value=0.7)],
            params={"depth": "6"},
            tags={"team": "risk"},
        ),
    )
    request = api.CompareModelVersionsRequest(
        name=two.name, other_name=one.name, at_least_as_fresh=registry.token
    )
    answer = metadata.CompareModelVersions(request)
    found = {c.field: (c.previous_value, c.value) for c in answer.differences}
    assert found == {
        "files.own.txt": (one.manifest_digest, OTHER_DIGEST),
        "manifest_digest": (one.manifest_digest, OTHER_DIGEST),
        "metrics.auc": ("0.5", "0.7"),
        "tags.team": ("", "risk"),
    }
    assert not answer.same_files
    request.other_name = two.name
    same = metadata.CompareModelVersions(request)
    assert same.same_files
    assert not same.differences
    registry.neighbours.away.add("artifact")
    with pytest.raises(grpc.RpcError) as caught:
        metadata.CompareModelVersions(request)
    assert "UNAVAILABLE" in str(caught.value)
    registry.neighbours.away.clear()
    request.other_name = f"{name}/versions/9"
    with refused("NOT_FOUND"):
        metadata.CompareModelVersions(request)


def test_models_are_found_by_filter_and_words(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    space = f"s{uuid4().hex[:12]}"
    metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id=space))
    for place in range(5):
        model = Model(
            description=f"Scores portfolio {place}",
            tags={"parity": str(place % 2)},
            owners=[f"teams/{place % 3}"],
            tier="high" if place < 2 else "low",
        )
        request = api.CreateModelRequest(
            parent=f"namespaces/{space}", model_id=f"credit_{place}", model=model
        )
        registry.token = metadata.CreateModel(request).consistency_token

    def found(filter_: str = "", text: str = "", order_by: str = "") -> list[int]:
        request = api.SearchModelsRequest(
            parent=f"namespaces/{space}", filter=filter_, text=text, order_by=order_by,
            page_size=2, count=True, at_least_as_fresh=registry.token,
        )  # fmt: skip
        places = list[int]()
        while True:
            page = metadata.SearchModels(request)
            places += [int(model.name[-1]) for model in page.models]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                assert page.total_count == len(places)
                return places

    assert found() == [0, 1, 2, 3, 4]
    assert found(order_by="create_time desc") == [4, 3, 2, 1, 0]
    assert found(order_by="latest_number") == [0, 1, 2, 3, 4]
    assert found("tags.parity = 1 OR tier = high") == [0, 1, 3]
    assert found("owner = teams/0") == [0, 3]
    assert found("owner IN (teams/0, teams/1)", "portfolio") == [0, 1, 3, 4]
    assert found('display_name LIKE "credit%" AND NOT tier IN (low)') == [0, 1]
    assert found(text="credit 3") == [3]
    assert found(text="PORTFOLIO 2") == [2]
    with refused("BAD_FILTER"):
        found("colour = red")
    with refused("NOT_FOUND"):
        metadata.SearchModels(api.SearchModelsRequest(parent="namespaces/nowhere"))
