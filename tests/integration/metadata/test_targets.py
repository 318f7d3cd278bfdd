"""Aliases and stages from a client's side: moved by compare-and-swap or by grant."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import grpc

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from tests.integration.metadata.registry import ANN, DIGEST, Registry, refused, revision


def with_versions(registry: Registry, count: int = 2) -> str:
    name = registry.model()
    for _ in range(count):
        registry.version(name)
    return name


def test_an_alias_reads_back_and_resolves(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    written = registry.alias(name, "champion", 2)
    assert (written.version, written.actor) == (f"{name}/versions/2", f"principals/{ANN}")
    token = registry.token
    read = metadata.GetAlias(api.GetAliasRequest(name=written.name, at_least_as_fresh=token))
    assert read.alias == written
    resolved = metadata.Resolve(api.ResolveRequest(name=written.name)).model_version
    assert (resolved.number, list(resolved.aliases)) == (2, ["champion"])
    listed = metadata.ListAliases(api.ListAliasesRequest(parent=name))
    assert list(listed.aliases) == [written]
    assert not metadata.ListStages(api.ListStagesRequest(parent=name)).stages


def test_an_alias_moves_only_from_the_expected_version(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    alias, one, two = f"{name}/aliases/champion", f"{name}/versions/1", f"{name}/versions/2"
    metadata.SetAlias(api.SetAliasRequest(name=alias, version=one, expected_version=""))
    with refused("HOLDER_MISMATCH") as told:
        metadata.SetAlias(api.SetAliasRequest(name=alias, version=two, expected_version=""))
    assert (told.code, told.metadata["holder"]) == (grpc.StatusCode.ABORTED, one)
    moved = metadata.SetAlias(api.SetAliasRequest(name=alias, version=two, expected_version=one))
    assert moved.alias.version == two


def test_an_etag_is_compared_with_the_alias_alone(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    first = registry.alias(name, "champion", 1)
    registry.version(name)  # the model changes, the alias does not
    two, three = f"{name}/versions/2", f"{name}/versions/3"
    metadata.SetAlias(api.SetAliasRequest(name=first.name, version=two, etag=first.etag))
    with refused("ETAG_MISMATCH"):
        metadata.SetAlias(api.SetAliasRequest(name=first.name, version=three, etag=first.etag))


def test_of_many_who_expect_nobody_one_gets_the_stage(registry: Registry) -> None:
    name = with_versions(registry, 8)
    stubs = [registry.stub(channel=channel) for channel in range(8)]

    def enter(number: int) -> int:
        request = api.SetStageRequest(
            name=f"{name}/stages/production",
            version=f"{name}/versions/{number}",
            expected_version="",
        )
        try:
            stubs[number - 1].SetStage(request)
        except grpc.RpcError:
            return 0
        return number

    with ThreadPoolExecutor(8) as pool:
        entered = [number for number in pool.map(enter, range(1, 9)) if number]
    assert len(entered) == 1


def test_an_unset_alias_resolves_to_nothing(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    alias = registry.alias(name, "champion", 1)
    unset = metadata.UnsetAlias(api.UnsetAliasRequest(name=alias.name, etag=alias.etag))
    assert (unset.alias.version, unset.alias.name) == ("", alias.name)
    token = unset.consistency_token
    with refused("NOT_FOUND"):
        metadata.Resolve(api.ResolveRequest(name=alias.name, at_least_as_fresh=token))
    with refused("NOT_FOUND"):
        metadata.GetAlias(api.GetAliasRequest(name=alias.name))
    again = metadata.UnsetAlias(api.UnsetAliasRequest(name=alias.name))
    assert again.alias.etag == unset.alias.etag
    with refused("NOT_FOUND"):
        metadata.UnsetStage(api.UnsetStageRequest(name=f"{name}/stages/never"))


def test_another_models_version_is_refused(registry: Registry) -> None:
    name, other = with_versions(registry), with_versions(registry)
    with refused("MALFORMED"):
        registry.stub().SetAlias(
            api.SetAliasRequest(name=f"{name}/aliases/a", version=f"{other}/versions/1")
        )
    with refused("NOT_FOUND"):
        registry.alias(name, "a", 3)
    with refused("NOT_FOUND"):
        registry.alias(f"{name}x", "a", 1)


def test_a_governed_stage_says_how_to_ask_and_moves_by_a_grant(registry: Registry) -> None:
    name = with_versions(registry)
    stage, version = f"{name}/stages/production", f"{name}/versions/1"
    registry.neighbours.governed.add(stage)
    with refused("APPROVAL_REQUIRED") as told:
        registry.stage(name, "production", 1)
    short = name.rpartition("/")[2]
    assert told.code is grpc.StatusCode.PERMISSION_DENIED
    assert told.message.endswith(f"assay approval request {short}/1 --stage production")
    approval = f"namespaces/default/approvals/{uuid4()}"
    registry.neighbours.grant(stage, version, DIGEST, approval)
    assert registry.stage(name, "production", 1).approval == approval
    with refused("APPROVAL_REQUIRED"):
        registry.stage(name, "production", 2)


def test_without_the_approval_service_nothing_moves(registry: Registry) -> None:
    name = with_versions(registry)
    registry.neighbours.away.add("approval")
    with refused("UNAVAILABLE"):
        registry.stage(name, "production", 1)
    with refused("UNAVAILABLE"):
        registry.alias(name, "champion", 1)


def test_the_holdings_of_a_stage_have_no_gap_between_them(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name = with_versions(registry)
    first = registry.stage(name, "production", 1)
    second = registry.stage(name, "production", 2)
    unset = metadata.UnsetStage(api.UnsetStageRequest(name=first.name))
    third = registry.stage(name, "production", 1)
    request = api.ListHoldingsRequest(parent=first.name, at_least_as_fresh=registry.token)
    holdings = metadata.ListHoldings(request).holdings
    assert [(h.version[-1], h.from_revision, h.to_revision) for h in holdings] == [
        ("1", revision(first.etag), revision(second.etag)),
        ("2", revision(second.etag), revision(unset.stage.etag)),
        ("1", revision(third.etag), 0),
    ]
    assert holdings[0].to_time == holdings[1].from_time
    assert holdings[1].HasField("to_time")
    assert not holdings[2].HasField("to_time")
    paged = api.ListHoldingsRequest(parent=first.name, page_size=2)
    page = metadata.ListHoldings(paged)
    paged.page_token = page.next_page_token
    assert [*page.holdings, *metadata.ListHoldings(paged).holdings] == list(holdings)
