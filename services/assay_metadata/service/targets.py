"""Handlers of aliases and stages, and of who held them when."""

from dataclasses import replace
from functools import partial

import assay.metadata.v1.metadata_service_pb2 as api
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import (
    AliasName,
    ModelName,
    NamespaceName,
    StageName,
    target,
)
from assay_events.commands import Done
from assay_events.decider import Invalid
from assay_metadata import ports
from assay_metadata.domain.commands import SetTarget, UnsetTarget
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.presence import known_version
from assay_metadata.domain.state import Model
from assay_metadata.queries import targets, versions
from assay_metadata.queries.names import follow, under
from assay_metadata.service import answers
from assay_metadata.service.parts import Parts
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
        return api.SetAliasResponse(
            alias=answers.alias(done, under(name, ModelName.parse(done.state.name))),
            consistency_token=done.token,
        )

    async def UnsetAlias(
        self, request: api.UnsetAliasRequest, context: Context
    ) -> api.UnsetAliasResponse:
        """Make an alias point at nothing."""
        name = AliasName.parse(request.name)
        done = await self._unset(name, request, context)
        return api.UnsetAliasResponse(
            alias=answers.alias(done, under(name, ModelName.parse(done.state.name))),
            consistency_token=done.token,
        )

    async def GetAlias(
        self, request: api.GetAliasRequest, context: Context
    ) -> api.GetAliasResponse:
        """Return what an alias points at, now or at a moment."""
        name = AliasName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.GetAliasResponse(
                alias=await follow(snapshot, name, targets.get_alias),
                consistency_token=snapshot.token,
            )

    async def ListAliases(
        self, request: api.ListAliasesRequest, context: Context
    ) -> api.ListAliasesResponse:
        """List the aliases of a model by name."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await follow(
                snapshot, parent, partial(targets.alias_page, request=request)
            )
            return api.ListAliasesResponse(
                aliases=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def SetStage(
        self, request: api.SetStageRequest, context: Context
    ) -> api.SetStageResponse:
        """Move a version into a stage."""
        name = StageName.parse(request.name)
        done = await self._set(name, request, context)
        return api.SetStageResponse(
            stage=answers.stage(done, under(name, ModelName.parse(done.state.name))),
            consistency_token=done.token,
        )

    async def UnsetStage(
        self, request: api.UnsetStageRequest, context: Context
    ) -> api.UnsetStageResponse:
        """Take the holder out of a stage."""
        name = StageName.parse(request.name)
        done = await self._unset(name, request, context)
        return api.UnsetStageResponse(
            stage=answers.stage(done, under(name, ModelName.parse(done.state.name))),
            consistency_token=done.token,
        )

    async def GetStage(
        self, request: api.GetStageRequest, context: Context
    ) -> api.GetStageResponse:
        """Return the holder of a stage, now or at a moment."""
        name = StageName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.GetStageResponse(
                stage=await follow(snapshot, name, targets.get_stage),
                consistency_token=snapshot.token,
            )

    async def ListStages(
        self, request: api.ListStagesRequest, context: Context
    ) -> api.ListStagesResponse:
        """List the held stages of a model by name."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await follow(
                snapshot, parent, partial(targets.stage_page, request=request)
            )
            return api.ListStagesResponse(
                stages=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def BatchResolve(
        self, request: api.BatchResolveRequest, context: Context
    ) -> api.BatchResolveResponse:
        """Return what many aliases or stages of one namespace point at, by one statement."""
        parent = NamespaceName.parse(request.parent)
        names = [_target_in(parent, name) for name in request.names]
        async with self._reads.by_revision(
            request.at_least_as_fresh, request.as_of, context
        ) as snapshot:
            found = await versions.resolve_many(snapshot, names)
            return api.BatchResolveResponse(
                resolved=[
                    api.Resolved(name=str(name), model_version=found.get(str(name)))
                    for name in names
                ],
                consistency_token=snapshot.token,
            )

    async def ListHoldings(
        self, request: api.ListHoldingsRequest, context: Context
    ) -> api.ListHoldingsResponse:
        """List who held an alias or stage, oldest first."""
        parent = target(request.parent)
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            found, next_page_token = await follow(
                snapshot, parent, partial(targets.holding_page, request=request)
            )
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
        name, state = await self._found(name)
        expected = request.expected_version
        version = known_version(
            str(name.parent), await self._number(name, request.version, "version"), state
        )
        number = version.registered.number
        grant = await ports.check_grant(
            self._peers,
            name,
            name.parent.version(number),
            version.manifest_digest,
            state,
        )
        command = SetTarget(
            str(name.parent),
            str(name),
            number,
            is_governed=grant.is_governed,
            approval=grant.approval if grant.is_governed else "",
            is_holder_expected=request.HasField("expected_version"),
            expected_number=await self._number(name, expected, "expected_version")
            if expected
            else 0,
            namespace_graph=await self._namespace_graph(name),
        )
        if isinstance(request, api.SetStageRequest):
            command = replace(
                command,
                is_beside=request.beside,
                weight=request.weight,
                is_previous_archived=request.archive_previous,
            )
        asked = intent(request, context)
        return await self._commands.handle(
            MODEL, command.model, command, asked, resource=command.target
        )

    async def _unset(
        self,
        name: AliasName | StageName,
        request: api.UnsetAliasRequest | api.UnsetStageRequest,
        context: Context,
    ) -> Done[Model]:
        asked = intent(request, context)
        return await self._handle(
            name, lambda found: UnsetTarget(str(found.parent), str(found)), asked
        )


def _target_in(parent: NamespaceName, text: str) -> AliasName | StageName:
    """Return the alias or stage that `text` names; refuse another namespace's."""
    name = target(text)
    if name.namespace != parent.namespace:
        raise Invalid(
            Reason.REASON_MALFORMED,
            f"Name aliases and stages of {parent}; {name} is none.",
            "names",
        )
    return name
