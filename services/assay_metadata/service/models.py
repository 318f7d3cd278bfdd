"""Handlers of models and their history."""

from dataclasses import replace

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model
from assay.names import ModelName, NamespaceName, model_id
from assay_events.commands import Intent, check_etag
from assay_events.decider import NotFound
from assay_metadata.domain.commands import (
    ArchiveModel,
    ClaimName,
    CreateModel,
    RenameModel,
    RestoreModel,
    UpdateModel,
)
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE
from assay_metadata.domain.presence import active
from assay_metadata.queries import history, models
from assay_metadata.queries.names import follow
from assay_metadata.service import answers, default_namespace
from assay_metadata.service.parts import (
    FREE_FIELDS_OF_A_MODEL,
    Parts,
    changes,
    fields_of_model,
    fitting,
    require_in,
)
from assay_serve.call import Context, intent
from assay_serve.postgres import LATEST


class Models(Parts):
    """Models: created, read, listed, changed, renamed, archived, restored."""

    async def CreateModel(
        self, request: api.CreateModelRequest, context: Context
    ) -> api.CreateModelResponse:
        """Create a model in a namespace that exists."""
        parent, given = NamespaceName.parse(request.parent), request.model
        name = ModelName(parent.namespace, model_id(request.model_id))
        await self._require(parent)
        if given.tier:
            await self._require_governing(name, context)
        command = creation(name, given)
        done = await self._commands.handle(MODEL, str(name), command, intent(request, context))
        return api.CreateModelResponse(model=answers.model(done), consistency_token=done.token)

    async def GetModel(
        self, request: api.GetModelRequest, context: Context
    ) -> api.GetModelResponse:
        """Return one model, now or at a moment."""
        name = ModelName.parse(request.name)
        async with self._reads.by_revision(
            request.at_least_as_fresh, request.as_of, context
        ) as snapshot:
            return api.GetModelResponse(
                model=await follow(snapshot, name, models.get),
                consistency_token=snapshot.token,
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

    async def BatchGetModels(
        self, request: api.BatchGetModelsRequest, context: Context
    ) -> api.BatchGetModelsResponse:
        """Return many models of a namespace, by whatever name they are asked for."""
        parent = NamespaceName.parse(request.parent)
        names = [ModelName.parse(name) for name in request.names]
        require_in(parent, names)
        async with self._reads.by_revision(
            request.at_least_as_fresh, request.as_of, context
        ) as snapshot:
            found = await models.many(snapshot, names)
            answer = api.BatchGetModelsResponse(
                models=[found[str(name)] for name in names if str(name) in found],
                missing_names=[str(name) for name in names if str(name) not in found],
                consistency_token=snapshot.token,
            )
        return fitting(answer)

    async def UpdateModel(
        self, request: api.UpdateModelRequest, context: Context
    ) -> api.UpdateModelResponse:
        """Change a model's free fields."""
        name, given = ModelName.parse(request.model.name), request.model
        paths, fields = changes(
            request.update_mask.paths, fields_of_model(given), FREE_FIELDS_OF_A_MODEL
        )
        if "tier" in paths and await self._is_other_tier(name, given.tier):
            await self._require_governing(name, context)
        done = await self._handle(
            name,
            lambda model: UpdateModel(str(model), paths, fields),
            intent(request, context, etag=given.etag),
        )
        return api.UpdateModelResponse(model=answers.model(done), consistency_token=done.token)

    async def _is_other_tier(self, name: ModelName, tier: str) -> bool:
        """Return whether a model has another tier than the given one."""
        name = await self._resolved(name)
        return (await self._commands.fold(MODEL, str(name))).state.fields.tier != tier

    async def ArchiveModel(
        self, request: api.ArchiveModelRequest, context: Context
    ) -> api.ArchiveModelResponse:
        """Archive a model."""
        name, asked = ModelName.parse(request.name), intent(request, context)
        done = await self._handle(name, lambda model: ArchiveModel(str(model)), asked)
        return api.ArchiveModelResponse(model=answers.model(done), consistency_token=done.token)

    async def RestoreModel(
        self, request: api.RestoreModelRequest, context: Context
    ) -> api.RestoreModelResponse:
        """Take an archived model back into use."""
        name, asked = ModelName.parse(request.name), intent(request, context)
        done = await self._handle(name, lambda model: RestoreModel(str(model)), asked)
        return api.RestoreModelResponse(model=answers.model(done), consistency_token=done.token)

    async def RenameModel(
        self, request: api.RenameModelRequest, context: Context
    ) -> api.RenameModelResponse:
        """Claim the new name for the model, then call the model so."""
        name = await self._resolved(ModelName.parse(request.name))
        new = ModelName(name.namespace, model_id(request.new_model_id))
        asked = intent(request, context)
        await self._require_renamable(name, asked)
        if new != name:
            claim = ClaimName(str(new), str(name))
            await self._commands.handle(MODEL, str(new), claim, replace(asked, etag=""))
        done = await self._handle(name, lambda model: RenameModel(str(model), new.model), asked)
        return api.RenameModelResponse(model=answers.model(done), consistency_token=done.token)

    async def _require_renamable(self, name: ModelName, asked: Intent) -> None:
        """Refuse what would be refused after the claim: a claim stays for ever."""
        folded = await self._commands.fold(MODEL, str(name))
        if folded.first_revision(asked.request_id):
            return
        check_etag(folded, str(name), asked)
        active(str(name), folded.state)

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
            found, next_page_token = await follow(
                snapshot, parent, lambda at, model: history.page(at, model, request)
            )
            return api.ListModelHistoryResponse(
                entries=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )


def creation(name: ModelName, given: Model) -> CreateModel:
    """Return the command that creates a model, as a request gives it."""
    return CreateModel(
        str(name),
        given.description,
        dict(given.tags),
        owners=tuple(given.owners),
        intended_use=given.intended_use,
        tier=given.tier,
        imported=given.imported,
    )
