"""What an export reads: pages of models, and of versions with what points at them."""

from dataclasses import dataclass

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage
from assay.names import ModelName, NamespaceName
from assay_metadata.queries import models, targets, versions
from assay_serve.postgres import Snapshot

PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some versions of a model by number; aliases and stages come with the last of them."""

    versions: list[ModelVersion]
    aliases: list[Alias]
    stages: list[Stage]
    is_last: bool


async def page_of_models(
    snapshot: Snapshot, parent: NamespaceName, page_token: str
) -> tuple[list[Model], str]:
    """Return some models of a namespace by id, and the token of those after them."""
    request = api.ListModelsRequest(parent=str(parent), page_size=PAGE_SIZE, page_token=page_token)
    return await models.page(snapshot, parent, request)


async def page_of_model(snapshot: Snapshot, name: ModelName, after: int) -> Page:
    """Return the versions of a model that follow number `after`."""
    request = api.ListModelVersionsRequest(
        parent=str(name), page_size=PAGE_SIZE, filter=f"number > {after}", order_by="number"
    )
    found, next_page_token = await versions.page(snapshot, name, request)
    if next_page_token:
        return Page(found, [], [], is_last=False)
    return Page(found, await _aliases(snapshot, name), await _stages(snapshot, name), is_last=True)


async def _aliases(snapshot: Snapshot, name: ModelName) -> list[Alias]:
    request = api.ListAliasesRequest(parent=str(name), page_size=PAGE_SIZE)
    found, request.page_token = await targets.alias_page(snapshot, name, request)
    while request.page_token:
        more, request.page_token = await targets.alias_page(snapshot, name, request)
        found += more
    return found


async def _stages(snapshot: Snapshot, name: ModelName) -> list[Stage]:
    request = api.ListStagesRequest(parent=str(name), page_size=PAGE_SIZE)
    found, request.page_token = await targets.stage_page(snapshot, name, request)
    while request.page_token:
        more, request.page_token = await targets.stage_page(snapshot, name, request)
        found += more
    return found
