"""Reads: as of any moment, page by page, filtered; and never anything but a filter in a filter."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.events_pb2 import ModelVersionRegistered
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model, ModelVersion, State
from assay.type.v1.metric_pb2 import Metric
from assay.type.v1.moment_pb2 import Moment
from assay_events import token
from tests.integration.metadata.registry import DIGEST, Registry, refused, revision
from tests.support.scribe import writing


@pytest.fixture(scope="module")
def _stocked(_running: Registry) -> str:
    """A model with 25 versions: number n has loss n / 10, parity n % 2 and depth n."""
    name = _running.model()
    for number in range(1, 26):
        version = ModelVersion(
            description=f"no. {number}",
            metrics=[Metric(key="loss", value=number / 10), Metric(key="auc", value=-number)],
            params={"depth": str(number)},
            tags={
                "parity": str(number % 2),
                "it's; DROP TABLE version;--": "x",
                "long": "y" * 1024,
            },
        )
        _running.version(name, version)
    _running.alias(name, "champion", 7)
    _running.stage(name, "production", 9)
    return name


@pytest.fixture
def stocked(_stocked: str, registry: Registry) -> str:
    return _stocked


def pages(
    metadata: MetadataServiceStub, request: api.ListModelVersionsRequest
) -> Iterator[list[int]]:
    while True:
        answer = metadata.ListModelVersions(request)
        yield [version.number for version in answer.model_versions]
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def numbers(
    metadata: MetadataServiceStub, parent: str, filter_: str, order_by: str = ""
) -> list[int]:
    request = api.ListModelVersionsRequest(
        parent=parent, filter=filter_, order_by=order_by, page_size=1000
    )
    return [version.number for version in metadata.ListModelVersions(request).model_versions]


def fresh(registry: Registry, metadata: MetadataServiceStub, name: str) -> None:
    metadata.GetModel(api.GetModelRequest(name=name, at_least_as_fresh=registry.token))


@pytest.mark.parametrize(
    "order_by", ["", "number", "number desc", "create_time", "create_time desc"]
)
def test_pages_miss_nothing_and_repeat_nothing(
    stocked: str, registry: Registry, metadata: MetadataServiceStub, order_by: str
) -> None:
    fresh(registry, metadata, stocked)
    request = api.ListModelVersionsRequest(parent=stocked, page_size=10, order_by=order_by)
    found = list(pages(metadata, request))
    assert [len(page) for page in found] == [10, 10, 5]
    forwards = order_by in {"number", "create_time"}
    assert list(chain(*found)) == (list(range(1, 26)) if forwards else list(range(25, 0, -1)))


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("number <= 3", [3, 2, 1]),
        ("metrics.loss >= 2.4", [25, 24]),
        ("metrics.auc < -24", [25]),
        ('tags.parity = "0" AND number < 5', [4, 2]),
        ('tags.parity = "0" number < 5', [4, 2]),
        ("params.depth = 12 OR params.depth = 13", [13, 12]),
        ('alias = "champion"', [7]),
        ('stage = "production"', [9]),
        ('stage = "champion"', []),
        ('NOT tags.parity = "0" AND number > 22', [25, 23]),
        ('tags."it\'s; DROP TABLE version;--" = "x" AND number = 1', [1]),
        ("tags.long:* AND number = 1", [1]),
        (f'tags.long = "{"y" * 1024}" AND number = 2', [2]),
        ('state = "ARCHIVED"', []),
        ('run = "" AND number = 5', [5]),
        ('creator : "principals" AND number = 6', [6]),
        ('create_time > "2020-01-01T00:00:00Z" AND number = 6', [6]),
        ('tags.parity = "\' OR 1=1 --"', []),
        ('tags.parity = "0\'); DROP TABLE version; --"', []),
    ],
)
def test_a_filter_finds_what_it_says(
    stocked: str,
    registry: Registry,
    metadata: MetadataServiceStub,
    filter_: str,
    expected: list[int],
) -> None:
    fresh(registry, metadata, stocked)
    assert numbers(metadata, stocked, filter_) == expected


@pytest.mark.parametrize(
    "filter_",
    [
        "1=1; DROP TABLE version",
        "model = 'x'",
        "v.number = 1",
        "number = 1) OR (1 = 1",
        "number = 'x' UNION SELECT 1",
        "description = 'secret'",
        "tags = 1",
        "metrics.loss = NaN",
        "number = 99999999999999999999",
        "(" * 1000,
    ],
)
def test_what_is_no_filter_is_refused(
    stocked: str, metadata: MetadataServiceStub, filter_: str
) -> None:
    with refused("BAD_FILTER"):
        numbers(metadata, stocked, filter_)


def test_a_page_token_is_of_its_own_query(
    stocked: str, registry: Registry, metadata: MetadataServiceStub
) -> None:
    fresh(registry, metadata, stocked)
    request = api.ListModelVersionsRequest(parent=stocked, page_size=10)
    request.page_token = metadata.ListModelVersions(request).next_page_token
    for other in (
        {"filter": "number > 1"},
        {"order_by": "number"},
        {"parent": registry.model()},
        {"page_token": "nonsense"},
        {"page_token": request.page_token[:-2]},
    ):
        changed = api.ListModelVersionsRequest()
        changed.CopyFrom(request)
        for field, value in other.items():
            setattr(changed, field, value)
        with refused("BAD_PAGE_TOKEN"):
            metadata.ListModelVersions(changed)
    request.page_size = 3  # another size is the same query
    assert len(metadata.ListModelVersions(request).model_versions) == 3


def test_a_page_of_large_versions_is_shorter(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    large = ModelVersion(params={str(number): "x" * 1024 for number in range(50)})
    for _ in range(30):
        registry.version(name, large)
    fresh(registry, metadata, name)
    request = api.ListModelVersionsRequest(parent=name, page_size=1000)
    found = list(pages(metadata, request))
    assert len(found) == 2
    assert list(chain(*found)) == list(range(30, 0, -1))


def test_models_are_listed_filtered_and_ordered(registry: Registry) -> None:
    metadata = registry.stub()
    metadata.CreateNamespace(api.CreateNamespaceRequest(namespace_id="listed"))
    for model_id, team in (("b", "risk"), ("a", "risk"), ("é", "ops"), ("Z", "ops")):
        token = metadata.CreateModel(
            api.CreateModelRequest(
                parent="namespaces/listed", model_id=model_id, model=Model(tags={"team": team})
            )
        ).consistency_token
    registry.version("namespaces/listed/models/b")
    token = metadata.ArchiveModel(
        api.ArchiveModelRequest(name="namespaces/listed/models/Z")
    ).consistency_token

    def listed(filter_: str = "", order_by: str = "", size: int = 0) -> list[str]:
        request = api.ListModelsRequest(
            parent="namespaces/listed",
            filter=filter_,
            order_by=order_by,
            page_size=size,
            at_least_as_fresh=token,
        )
        found = list[str]()
        while True:
            page = metadata.ListModels(request)
            found += [model.name.rpartition("/")[2] for model in page.models]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found

    assert listed(size=1) == ["Z", "a", "b", "é"]
    assert listed(order_by="model_id desc", size=3) == ["é", "b", "a", "Z"]
    assert listed(order_by="create_time", size=1) == ["b", "a", "é", "Z"]
    assert listed(order_by="update_time desc", size=1)[0] == "Z"
    assert listed('tags.team = "risk"') == ["a", "b"]
    assert listed('state = "ARCHIVED"') == ["Z"]
    assert listed("latest_number >= 1") == ["b"]
    assert listed('model_id : "é"') == ["é"]
    with refused("NOT_FOUND"):
        metadata.ListModels(api.ListModelsRequest(parent="namespaces/nowhere"))


def test_a_stage_is_as_of_exactly_the_revision_asked_for(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    registry.version(name)
    registry.version(name)
    first = registry.stage(name, "production", 1)
    second = registry.stage(name, "production", 2)
    unset = metadata.UnsetStage(api.UnsetStageRequest(name=first.name))

    def holder(at: int) -> str:
        moment = Moment(revision=at)
        return metadata.Resolve(
            api.ResolveRequest(name=first.name, as_of=moment)
        ).model_version.name

    begin, middle, end = (revision(x.etag) for x in (first, second, unset.stage))
    registry.model()
    fresh(registry, metadata, name)
    for absent in (begin - 1, end, end + 1):
        with refused("NOT_FOUND"):
            holder(absent)
    assert [holder(at) for at in (begin, middle - 1)] == [f"{name}/versions/1"] * 2
    assert [holder(at) for at in (middle, end - 1)] == [f"{name}/versions/2"] * 2
    moment = Moment(revision=middle - 1)
    old = metadata.GetStage(api.GetStageRequest(name=first.name, as_of=moment)).stage
    assert old == first


@pytest.mark.requirement("A3")
def test_every_read_can_be_of_before(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = registry.model()
    one = registry.version(name, ModelVersion(tags={"a": "1"}))
    registry.alias(name, "champion", 1)
    before = metadata.GetModel(api.GetModelRequest(name=name, at_least_as_fresh=registry.token))
    moment = Moment(revision=revision(registry.alias(name, "other", 1).etag) - 1)
    metadata.UpdateModelVersion(
        api.UpdateModelVersionRequest(model_version=ModelVersion(name=one.name, tags={"a": "2"}))
    )
    registry.version(name)
    registry.alias(name, "champion", 2)
    token = metadata.ArchiveModel(api.ArchiveModelRequest(name=name)).consistency_token

    now = metadata.GetModel(api.GetModelRequest(name=name, at_least_as_fresh=token)).model
    assert now.state == State.STATE_ARCHIVED
    assert metadata.GetModel(api.GetModelRequest(name=name, as_of=moment)).model == before.model
    versions = metadata.ListModelVersions(
        api.ListModelVersionsRequest(parent=name, filter='tags.a = "1"', as_of=moment)
    ).model_versions
    assert [(v.number, list(v.aliases), dict(v.tags)) for v in versions] == [
        (1, ["champion"], {"a": "1"})
    ]
    assert versions[0].etag == one.etag
    aliases = metadata.ListAliases(api.ListAliasesRequest(parent=name, as_of=moment)).aliases
    assert [alias.version for alias in aliases] == [one.name]
    models = metadata.ListModels(
        api.ListModelsRequest(parent="namespaces/default", page_size=1000, as_of=moment)
    ).models
    assert before.model in models


def test_a_moment_may_be_a_time(registry: Registry, metadata: MetadataServiceStub) -> None:
    name = registry.model()
    registry.version(name)
    registry.version(name)
    first = registry.alias(name, "champion", 1)
    between = Timestamp()
    between.GetCurrentTime()
    registry.alias(name, "champion", 2)
    request = api.GetAliasRequest(name=first.name, as_of=Moment(time=between))
    assert metadata.GetAlias(request).alias == first


def test_a_moment_lies_in_the_past_of_this_log(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = registry.model()
    for moment in (
        Moment(revision=10**9),
        Moment(revision=0),
        Moment(revision=-1),
        Moment(time=Timestamp(seconds=4102444800)),
        Moment(time=Timestamp(seconds=0)),
    ):
        with refused("BAD_MOMENT"):
            metadata.GetModel(api.GetModelRequest(name=name, as_of=moment))


def test_what_is_not_there_is_not_found(registry: Registry, metadata: MetadataServiceStub) -> None:
    name, none = registry.model(), "namespaces/default/models/none"
    with refused("NOT_FOUND"):
        metadata.GetModel(api.GetModelRequest(name=none))
    with refused("NOT_FOUND"):
        metadata.GetModelVersion(api.GetModelVersionRequest(name=f"{name}/versions/1"))
    for listing in (
        lambda: metadata.ListModelVersions(api.ListModelVersionsRequest(parent=none)),
        lambda: metadata.ListAliases(api.ListAliasesRequest(parent=none)),
        lambda: metadata.ListStages(api.ListStagesRequest(parent=none)),
        lambda: metadata.ListHoldings(api.ListHoldingsRequest(parent=f"{none}/stages/s")),
        lambda: metadata.ListModelHistory(api.ListModelHistoryRequest(parent=none)),
    ):
        with refused("NOT_FOUND"):
            listing()


@pytest.mark.requirement("A8.1")
def test_a_clock_that_goes_back_changes_no_order(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    """People read the clock of who wrote; what was there when follows from the stream alone."""
    name = registry.model()
    first = registry.version(name)
    before = datetime.now(UTC)
    yesterday = before - timedelta(days=1)
    written = asyncio.run(_write_at(registry, f"{name}/versions/2", yesterday))
    fresh = token.encode(written)
    listed = api.ListModelVersionsRequest(parent=name, at_least_as_fresh=fresh)
    found = list(metadata.ListModelVersions(listed).model_versions)
    assert sorted(version.number for version in found) == [1, 2]
    (second,) = (version for version in found if version.number == 2)
    assert second.create_time.ToDatetime(tzinfo=UTC) == yesterday
    listed.as_of.time.FromDatetime(before)
    then = metadata.ListModelVersions(listed).model_versions
    assert [version.number for version in then] == [first.number]
    registry.token = fresh
    assert registry.version(name).number == 3
    history = api.ListHistoryRequest(name=name, at_least_as_fresh=registry.token)
    told = metadata.ListHistory(history).entries
    assert [entry.revision for entry in told] == sorted(
        (entry.revision for entry in told), reverse=True
    )


async def _write_at(registry: Registry, version: str, at: datetime) -> int:
    """Register the second version as a service would whose clock is wrong."""
    async with writing(registry.bus) as scribe:
        event = ModelVersionRegistered(name=version, number=2, manifest_digest=DIGEST)
        return await scribe.write(event, time=at)
