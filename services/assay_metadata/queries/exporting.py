"""What an export reads: pages of models, and of versions with what points at them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage
from assay.names import ModelName, NamespaceName
from assay_metadata.queries import models, targets, versions
from assay_serve.postgres import Snapshot

PAGE_SIZE = 500
END = 2**63 - 1  # no version has this number


@dataclass(frozen=True, slots=True)
class Page:
    """Some versions of a model by number; aliases and stages come with the last of all."""

    versions: deque[ModelVersion] = field(default_factory=deque)
    aliases: Sequence[Alias] = ()
    stages: Sequence[Stage] = ()
    is_last: bool = False


async def page_of_models(
    snapshot: Snapshot, parent: NamespaceName, page_token: str
) -> tuple[list[Model], str]:
    """Return some models of a namespace by id, and the token of those after them."""
    request = api.ListModelsRequest(parent=str(parent), page_size=PAGE_SIZE, page_token=page_token)
    return await models.page(snapshot, parent, request)


async def page_of_model(snapshot: Snapshot, name: ModelName, after: int, until: int) -> Page:
    """Return the versions of a model that follow number `after`, up to `until`."""
    request = api.ListModelVersionsRequest(
        parent=str(name),
        page_size=PAGE_SIZE,
        filter=f"number > {after} AND number <= {until}",
        order_by="number",
    )
    found, next_page_token = await versions.page(snapshot, name, request)
    if next_page_token or until != END:
        return Page(deque(found), is_last=not next_page_token)
    aliases, stages = await _aliases(snapshot, name), await _stages(snapshot, name)
    return Page(deque(found), aliases, stages, is_last=True)


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
