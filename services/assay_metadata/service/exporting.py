"""Export: models with all that they have, in the order in which Import takes them."""

from collections.abc import AsyncGenerator

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model
from assay.names import ModelName, NamespaceName
from assay_metadata.queries import exporting, models
from assay_metadata.queries.names import follow
from assay_metadata.service.export_walk import Pinned, Walk
from assay_metadata.service.parts import Parts
from assay_serve.call import Context

_PARTS_OF_A_NAMESPACE = 2


class Exporting(Parts):
    """Models and namespaces are read whole."""

    async def Export(
        self, request: api.ExportRequest, context: Context
    ) -> AsyncGenerator[api.ExportResponse, None]:
        """Read all at one revision, page by page; no page waits for the caller in a transaction."""
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            pinned = Pinned(self._reads, snapshot.revision, snapshot.token, context)
        is_namespace = len(request.parent.split("/")) == _PARTS_OF_A_NAMESPACE
        walk = Walk(pinned, is_namespace=is_namespace)
        found = _models_of if is_namespace else _model
        async for model in found(pinned, request.parent):
            async for part in walk.model(model):
                yield part


async def _model(pinned: Pinned, name: str) -> AsyncGenerator[Model, None]:
    """Yield one model, by whichever of its names."""
    async with pinned.snapshot() as snapshot:
        model = await follow(snapshot, ModelName.parse(name), models.get)
    yield model


async def _models_of(pinned: Pinned, name: str) -> AsyncGenerator[Model, None]:
    """Yield the models of a namespace by id."""
    parent, page_token, is_first = NamespaceName.parse(name), "", True
    while is_first or page_token:
        async with pinned.snapshot() as snapshot:
            page, page_token = await exporting.page_of_models(snapshot, parent, page_token)
        for model in page:
            yield model
        is_first = False
