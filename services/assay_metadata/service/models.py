"""Handlers of models and their history."""

import assay.metadata.v1.metadata_service_pb2 as api
from assay.names import ModelName, NamespaceName, model_id
from assay_events.decider import NotFound
from assay_metadata.domain.commands import ArchiveModel, CreateModel, RestoreModel, UpdateModel
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE
from assay_metadata.queries import history, models
from assay_metadata.service import answers, default_namespace
from assay_metadata.service.parts import Parts, changes
from assay_serve.call import Context, intent
from assay_serve.postgres import LATEST


class Models(Parts):
    """Models: created, read, listed, changed, archived, restored."""

    async def CreateModel(
        self, request: api.CreateModelRequest, context: Context
    ) -> api.CreateModelResponse:
        """Create a model in a namespace that exists."""
        parent = NamespaceName.parse(request.parent)
        name = ModelName(parent.namespace, model_id(request.model_id))
        await self._require(parent)
        command = CreateModel(str(name), request.model.description, dict(request.model.tags))
        done = await self._commands.handle(MODEL, str(name), command, intent(request, context))
        return api.CreateModelResponse(
            model=answers.model(done, name), consistency_token=done.token
        )

    async def GetModel(
        self, request: api.GetModelRequest, context: Context
    ) -> api.GetModelResponse:
        """Return one model, now or at a moment."""
        name = ModelName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.GetModelResponse(
                model=await models.get(snapshot, name), consistency_token=snapshot.token
            )

    async def ListModels(
        self, request: api.ListModelsRequest, context: Context
    ) -> api.ListModelsResponse:
        """List the models of a namespace."""
        parent = NamespaceName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await models.page(snapshot, parent, request)
            return api.ListModelsResponse(
                models=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def UpdateModel(
        self, request: api.UpdateModelRequest, context: Context
    ) -> api.UpdateModelResponse:
        """Change a model's description or tags."""
        name, given = ModelName.parse(request.model.name), request.model
        paths, fields = changes(request.update_mask.paths, given.description, given.tags)
        asked = intent(request, context, etag=given.etag)
        command = UpdateModel(str(name), paths, fields)
        done = await self._commands.handle(MODEL, str(name), command, asked)
        return api.UpdateModelResponse(
            model=answers.model(done, name), consistency_token=done.token
        )

    async def ArchiveModel(
        self, request: api.ArchiveModelRequest, context: Context
    ) -> api.ArchiveModelResponse:
        """Archive a model."""
        name = ModelName.parse(request.name)
        command = ArchiveModel(str(name))
        done = await self._commands.handle(MODEL, str(name), command, intent(request, context))
        return api.ArchiveModelResponse(
            model=answers.model(done, name), consistency_token=done.token
        )

    async def RestoreModel(
        self, request: api.RestoreModelRequest, context: Context
    ) -> api.RestoreModelResponse:
        """Take an archived model back into use."""
        name = ModelName.parse(request.name)
        command = RestoreModel(str(name))
        done = await self._commands.handle(MODEL, str(name), command, intent(request, context))
        return api.RestoreModelResponse(
            model=answers.model(done, name), consistency_token=done.token
        )

    async def _require(self, namespace: NamespaceName) -> None:
        """Refuse a namespace that does not exist; the default one is made where it does not yet."""
        if (await self._commands.fold(NAMESPACE, str(namespace))).state.name:
            return
        if namespace != default_namespace.DEFAULT:
            raise NotFound(str(namespace))
        await default_namespace.ensure(self._commands)

    async def ListModelHistory(
        self, request: api.ListModelHistoryRequest, context: Context
    ) -> api.ListModelHistoryResponse:
        """List what happened to a model, newest first."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            found, next_page_token = await history.page(snapshot, parent, request)
            return api.ListModelHistoryResponse(
                entries=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )
