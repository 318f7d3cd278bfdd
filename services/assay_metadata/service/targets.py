"""Handlers of aliases and stages, and of who held them when."""

import assay.metadata.v1.metadata_service_pb2 as api
from assay.names import AliasName, ModelName, StageName, VersionName, target
from assay_events.commands import Done
from assay_metadata import ports
from assay_metadata.domain.commands import SetTarget, UnsetTarget
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.presence import existing, known_version
from assay_metadata.domain.state import Model
from assay_metadata.queries import targets
from assay_metadata.service import answers
from assay_metadata.service.parts import Parts, number_in
from assay_serve.call import Context, intent
from assay_serve.postgres import LATEST


class Targets(Parts):
    """Aliases and stages: set, unset, read, listed, with their holders in time."""

    async def SetAlias(
        self, request: api.SetAliasRequest, context: Context
    ) -> api.SetAliasResponse:
        """Point an alias at a version."""
        name = AliasName.parse(request.name)
        done = await self._set(name, request, context)
        return api.SetAliasResponse(alias=answers.alias(done, name), consistency_token=done.token)

    async def UnsetAlias(
        self, request: api.UnsetAliasRequest, context: Context
    ) -> api.UnsetAliasResponse:
        """Make an alias point at nothing."""
        name = AliasName.parse(request.name)
        done = await self._unset(name, request, context)
        return api.UnsetAliasResponse(alias=answers.alias(done, name), consistency_token=done.token)

    async def GetAlias(
        self, request: api.GetAliasRequest, context: Context
    ) -> api.GetAliasResponse:
        """Return what an alias points at, now or at a moment."""
        name = AliasName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.GetAliasResponse(
                alias=await targets.get_alias(snapshot, name), consistency_token=snapshot.token
            )

    async def ListAliases(
        self, request: api.ListAliasesRequest, context: Context
    ) -> api.ListAliasesResponse:
        """List the aliases of a model by name."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await targets.alias_page(snapshot, parent, request)
            return api.ListAliasesResponse(
                aliases=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def SetStage(
        self, request: api.SetStageRequest, context: Context
    ) -> api.SetStageResponse:
        """Move a version into a stage."""
        name = StageName.parse(request.name)
        done = await self._set(name, request, context)
        return api.SetStageResponse(stage=answers.stage(done, name), consistency_token=done.token)

    async def UnsetStage(
        self, request: api.UnsetStageRequest, context: Context
    ) -> api.UnsetStageResponse:
        """Take the holder out of a stage."""
        name = StageName.parse(request.name)
        done = await self._unset(name, request, context)
        return api.UnsetStageResponse(stage=answers.stage(done, name), consistency_token=done.token)

    async def GetStage(
        self, request: api.GetStageRequest, context: Context
    ) -> api.GetStageResponse:
        """Return the holder of a stage, now or at a moment."""
        name = StageName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.GetStageResponse(
                stage=await targets.get_stage(snapshot, name), consistency_token=snapshot.token
            )

    async def ListStages(
        self, request: api.ListStagesRequest, context: Context
    ) -> api.ListStagesResponse:
        """List the held stages of a model by name."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await targets.stage_page(snapshot, parent, request)
            return api.ListStagesResponse(
                stages=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def ListHoldings(
        self, request: api.ListHoldingsRequest, context: Context
    ) -> api.ListHoldingsResponse:
        """List who held an alias or stage, oldest first."""
        parent = target(request.parent)
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            found, next_page_token = await targets.holding_page(snapshot, parent, request)
            return api.ListHoldingsResponse(
                holdings=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def _set(
        self,
        name: AliasName | StageName,
        request: api.SetAliasRequest | api.SetStageRequest,
        context: Context,
    ) -> Done[Model]:
        """Ask the approval service, then let the version hold the target."""
        model = name.parent
        version = model.version(number_in(model, request.version, "version"))
        expected = request.expected_version
        expected_number = number_in(model, expected, "expected_version") if expected else 0
        grant = await ports.check_grant(
            self._peers, name, version, await self._manifest_digest(version)
        )
        command = SetTarget(
            str(model),
            str(name),
            version.number,
            is_governed=grant.is_governed,
            approval=grant.approval if grant.is_governed else "",
            is_holder_expected=request.HasField("expected_version"),
            expected_number=expected_number,
        )
        asked = intent(request, context)
        return await self._commands.handle(MODEL, str(model), command, asked, resource=str(name))

    async def _unset(
        self,
        name: AliasName | StageName,
        request: api.UnsetAliasRequest | api.UnsetStageRequest,
        context: Context,
    ) -> Done[Model]:
        model, command = str(name.parent), UnsetTarget(str(name.parent), str(name))
        asked = intent(request, context)
        return await self._commands.handle(MODEL, model, command, asked, resource=str(name))

    async def _manifest_digest(self, version: VersionName) -> str:
        """Return what the version was sealed with, fresh from the stream."""
        model = str(version.parent)
        state = (await self._commands.fold(MODEL, model)).state
        existing(model, state)
        return known_version(model, version.number, state).registered.manifest_digest
