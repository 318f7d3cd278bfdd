"""Versions of a whole namespace, found by filter and text; pages that stay of one moment."""

from collections.abc import Iterator

import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.type.v1.metric_pb2 import Metric
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import Registry, refused, revision

PARENT = "namespaces/searched"


@pytest.fixture(scope="module")
def _found(_running: Registry) -> str:
    """Three models with four versions each, numbered 0 to 11 in the order of registration."""
    stub = _running.stub()
    stub.CreateNamespace(api.CreateNamespaceRequest(namespace_id="searched"))
    for place in range(12):
        model = f"{PARENT}/models/credit_{'abc'[place % 3]}"
        if place < 3:
            _running.model(model.rpartition("/")[2], "searched")
        metrics = [Metric(key="auc", value=place / 10), Metric(key="auc", value=9, dataset="d")]
        if place == 11:
            metrics = []
        version = ModelVersion(
            description=f"Trained on portfolio {place}",
            metrics=metrics,
            params={"depth": str(place % 4)},
            tags={"place": str(place), "parity": str(place % 2), "odd key": "x y"},
        )
        _running.version(model, version)
    _running.alias(f"{PARENT}/models/credit_a", "champion", 2)
    _running.alias(f"{PARENT}/models/credit_b", "champion", 1)
    _running.alias(f"{PARENT}/models/credit_b", "other", 1)
    _running.stage(f"{PARENT}/models/credit_c", "production", 4)
    tags = {"place": "0", "parity": "0", "odd key": "x y", "late": "yes"}
    retagged = ModelVersion(name=f"{PARENT}/models/credit_a/versions/1", tags=tags)
    stub.UpdateModelVersion(api.UpdateModelVersionRequest(model_version=retagged))
    gone = api.ArchiveModelVersionRequest(name=f"{PARENT}/models/credit_c/versions/1")
    return stub.ArchiveModelVersion(gone).consistency_token


@pytest.fixture
def fresh(_found: str, registry: Registry) -> str:
    return _found


def pages(
    metadata: MetadataServiceStub, request: api.SearchModelVersionsRequest
) -> Iterator[list[int]]:
    while True:
        answer = metadata.SearchModelVersions(request)
        yield [int(version.tags["place"]) for version in answer.model_versions]
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


FILTERS = [
    ("", set(range(12))),
    ('tags.parity = "1"', {1, 3, 5, 7, 9, 11}),
    ('tags."odd key" = "x y" AND tags.parity = 0', {0, 2, 4, 6, 8, 10}),
    ("tags.late = yes", {0}),
    ("tags.place IN (1, 2, 99)", {1, 2}),
    ('tags.place LIKE "1%"', {1, 10, 11}),
    ("tags.place NOT IN (1, 2, 3, 4, 5, 6, 7, 8, 9)", {0, 10, 11}),
    ("metrics.auc > 0.85 AND metrics.auc < 5", {9, 10} | set(range(9))),
    ("metrics.auc = 0.3", {3}),
    ("NOT metrics.auc:*", {11}),
    ("metrics.auc >= 0.3 AND tags.parity = 1 AND params.depth = 3", {3, 7}),
    ("params.depth IN (0, 1)", {0, 1, 4, 5, 8, 9}),
    ("alias = champion", {1, 3}),
    ('alias : "champion" AND alias = other', {1}),
    ("alias IN (champion, other)", {1, 3}),
    ('alias LIKE "ch%"', {1, 3}),
    ("stage = production OR alias = other", {1, 11}),
    ("NOT (tags.parity = 0 OR number > 1)", {1}),
    ("model = credit_b", {1, 4, 7, 10}),
    ('model IN ("credit_a", credit_b) AND number = 4', {9, 10}),
    ('model LIKE "credit\\\\__"', set(range(12))),
    ("state = ARCHIVED", {2}),
    ("state IN (ARCHIVED)", {2}),
    ("tags.parity = 0 AND state = ACTIVE AND number >= 2", {4, 6, 8, 10}),
    ('create_time > "2020-01-01T00:00:00Z"', set(range(12))),
    ('description : "portfolio 1"', {1, 10, 11}),
]


@pytest.mark.parametrize(("filter_", "expected"), FILTERS)
def test_a_filter_finds_what_it_says(
    metadata: MetadataServiceStub, fresh: str, filter_: str, expected: set[int]
) -> None:
    request = api.SearchModelVersionsRequest(
        parent=PARENT, filter=filter_, at_least_as_fresh=fresh, page_size=5, count=True
    )
    count = metadata.SearchModelVersions(request).total_count
    found = [place for page in pages(metadata, request) for place in page]
    assert count == len(found)
    assert found == sorted(expected, reverse=True)


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("", list(range(11, -1, -1))),
        ("create_time", list(range(12))),
        ("number", list(range(12))),
        ("number desc", list(range(11, -1, -1))),
        ("metrics.auc", list(range(11))),
        ("metrics.auc desc", list(range(10, -1, -1))),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 50])
def test_pages_hold_everything_once_in_order(
    metadata: MetadataServiceStub, fresh: str, order_by: str, expected: list[int], size: int
) -> None:
    request = api.SearchModelVersionsRequest(
        parent=PARENT, order_by=order_by, page_size=size, at_least_as_fresh=fresh
    )
    found = [place for page in pages(metadata, request) for place in page]
    assert found == expected


def test_all_words_must_be_there(metadata: MetadataServiceStub, fresh: str) -> None:
    def found(text: str, filter_: str = "") -> set[int]:
        request = api.SearchModelVersionsRequest(
            parent=PARENT, text=text, filter=filter_, at_least_as_fresh=fresh
        )
        return {place for page in pages(metadata, request) for place in page}

    assert found("portfolio 7") == {7}
    assert found("CREDIT trained") == set(range(12))
    assert found("credit_a") == {0, 3, 6, 9}
    assert found("portfolio", "tags.parity = 1 AND metrics.auc < 0.4") == {1, 3}
    assert found("portfolio nothing") == set()
    for hostile in ("'; DROP TABLE version;--", "a & | ! ( <->", "\\", "%", "😀" * 200):
        found(hostile)


def test_pages_are_of_the_moment_of_the_first(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    model = registry.model()
    for number in range(6):
        registry.version(model, ModelVersion(tags={"place": str(number), "pinned": model[-8:]}))
    request = api.SearchModelVersionsRequest(
        parent="namespaces/default",
        filter=f"tags.pinned = {model[-8:]}",
        page_size=2,
        at_least_as_fresh=registry.token,
    )
    found = list[int]()
    for page in pages(metadata, request):
        found += page
        registry.version(model, ModelVersion(tags={"place": "99", "pinned": model[-8:]}))
        renamed = ModelVersion(name=f"{model}/versions/1", tags={"place": "77"})
        token = metadata.UpdateModelVersion(
            api.UpdateModelVersionRequest(model_version=renamed)
        ).consistency_token
        metadata.GetModel(api.GetModelRequest(name=model, at_least_as_fresh=token))
    assert found == [5, 4, 3, 2, 1, 0]


def test_a_search_is_as_of_exactly_the_revision_asked_for(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    model = registry.model()
    first = registry.version(model, ModelVersion(tags={"place": "1", "exact": model[-8:]}))
    moved = ModelVersion(name=first.name, tags={"place": "2", "exact": model[-8:]})
    second = metadata.UpdateModelVersion(api.UpdateModelVersionRequest(model_version=moved))
    begin, end = revision(first.etag), revision(second.model_version.etag)

    def places(at: int) -> list[list[int]]:
        request = api.SearchModelVersionsRequest(
            parent="namespaces/default",
            filter=f"tags.exact = {model[-8:]} AND tags.place IN (1, 2)",
            as_of=Moment(revision=at),
            at_least_as_fresh=second.consistency_token,
        )
        return list(pages(metadata, request))

    assert [places(at) for at in (begin - 1, begin, end - 1, end)] == [[[]], [[1]], [[1]], [[2]]]
    for moment in (Moment(revision=10**9), Moment(revision=0)):
        with refused("BAD_MOMENT"):
            metadata.SearchModelVersions(
                api.SearchModelVersionsRequest(parent="namespaces/default", as_of=moment)
            )


@pytest.mark.parametrize(
    ("filter_", "told"),
    [
        ("colour = red", "colour is none of them"),
        (" AND ".join(["number = 1"] * 1000), "at most 100 comparisons"),
        (" OR ".join(["number = 1"] * 101), "at most 100 comparisons"),
        ("number IN (" + ",".join(["1"] * 1001) + ")", "at most 1000 values"),
        ("(" * 50 + "number = 1" + ")" * 50, "at most 20 deep"),
        ("number LIKE 1", "LIKE"),
        ("number IN ()", "value"),
        ("number IN (1, x)", "whole number"),
        ("number IN 1", "parentheses"),
        ("number IN (1 2)", "commas"),
        ("tags LIKE x", "tags"),
        ('model LIKE "\\\\\\\\\\\\"', "backslash"),
        ("metrics.auc > high", "number"),
        ("number", "IN LIKE"),
    ],
)
def test_a_bad_filter_says_what_is_wrong(
    metadata: MetadataServiceStub, filter_: str, told: str
) -> None:
    with refused("BAD_FILTER") as answer:
        metadata.SearchModelVersions(
            api.SearchModelVersionsRequest(parent="namespaces/default", filter=filter_)
        )
    assert told in answer.message


def test_a_page_token_is_of_its_own_search(metadata: MetadataServiceStub, fresh: str) -> None:
    request = api.SearchModelVersionsRequest(parent=PARENT, page_size=1, at_least_as_fresh=fresh)
    token = metadata.SearchModelVersions(request).next_page_token
    for other in (
        api.SearchModelVersionsRequest(parent=PARENT, filter="number = 1", page_token=token),
        api.SearchModelVersionsRequest(parent=PARENT, page_token="e30"),
        api.SearchModelVersionsRequest(parent=PARENT, page_token="W10"),
        api.SearchModelVersionsRequest(parent=PARENT, page_token="!"),
    ):
        with refused("BAD_PAGE_TOKEN"):
            metadata.SearchModelVersions(other)
    for order_by in ("metrics.", "colour", "number down", "metrics.auc desc desc"):
        with refused("MALFORMED"):
            metadata.SearchModelVersions(
                api.SearchModelVersionsRequest(parent=PARENT, order_by=order_by)
            )
    with refused("NOT_FOUND"):
        metadata.SearchModelVersions(api.SearchModelVersionsRequest(parent="namespaces/nowhere"))
