"""Handlers that find versions and models, and say what happened to them."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import assay.metadata.v1.metadata_service_pb2 as api
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import AliasName, ModelName, NamespaceName, StageName, VersionName, target
from assay.type.v1.moment_pb2 import Moment
from assay_events.decider import Invalid
from assay_metadata.queries import changes, model_search, search
from assay_metadata.queries.names import follow
from assay_metadata.service.parts import Parts
from assay_serve.call import Context
from assay_serve.paging import pinned_revision
from assay_serve.postgres import LATEST, Snapshot
from assay_serve.refusals import bad_moment

_Name: TypeAlias = NamespaceName | ModelName | VersionName | AliasName | StageName
_Answer = TypeVar("_Answer")


class Search(Parts):
    """Versions and models, found by filter and full text."""

    async def SearchModelVersions(
        self, request: api.SearchModelVersionsRequest, context: Context
    ) -> api.SearchModelVersionsResponse:
        """Find versions of all models of a namespace; all pages are of one moment."""
        parent = NamespaceName.parse(request.parent)
        moment = _moment(request.page_token, request.as_of)
        async with self._reads.at(request.at_least_as_fresh, moment, context) as snapshot:
            found, next_page_token, count = await search.version_page(snapshot, parent, request)
            return api.SearchModelVersionsResponse(
                model_versions=found,
                next_page_token=next_page_token,
                consistency_token=snapshot.token,
                total_count=count,
            )

    async def SearchModels(
        self, request: api.SearchModelsRequest, context: Context
    ) -> api.SearchModelsResponse:
        """Find models of a namespace; all pages are of one moment."""
        parent = NamespaceName.parse(request.parent)
        moment = _moment(request.page_token, request.as_of)
        async with self._reads.at(request.at_least_as_fresh, moment, context) as snapshot:
            found, next_page_token, count = await model_search.model_page(snapshot, parent, request)
            return api.SearchModelsResponse(
                models=found,
                next_page_token=next_page_token,
                consistency_token=snapshot.token,
                total_count=count,
            )

    async def ListHistory(
        self, request: api.ListHistoryRequest, context: Context
    ) -> api.ListHistoryResponse:
        """List what happened to a resource and below it, newest first."""
        name = _resource(request.name)
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            found, next_page_token = await _followed(
                snapshot, name, lambda each: changes.history_page(snapshot, each, request)
            )
            return api.ListHistoryResponse(
                entries=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )

    async def Diff(self, request: api.DiffRequest, context: Context) -> api.DiffResponse:
        """Say what differs between two moments; all pages are of the same two."""
        name = _resource(request.name)
        if not isinstance(name, ModelName | NamespaceName):
            raise Invalid(Reason.REASON_MALFORMED, "Name a model or a namespace.", field="name")
        async with self._reads.at("", request.from_moment, context) as snapshot:
            from_revision = snapshot.revision
        moment = _moment(request.page_token, request.to_moment)
        async with self._reads.at(request.at_least_as_fresh, moment, context) as snapshot:
            if snapshot.revision < from_revision:
                raise bad_moment("Give the earlier moment as from_moment.")
            found, next_page_token = await _followed(
                snapshot,
                name,
                lambda each: changes.difference_page(snapshot, from_revision, each, request),
            )
            return api.DiffResponse(
                changes=found, next_page_token=next_page_token, consistency_token=snapshot.token
            )


def _resource(text: str) -> _Name:
    """Return the name of a resource as what it is."""
    match text.split("/"):
        case [*_, "models", _]:
            return ModelName.parse(text)
        case [*_, "versions", _]:
            return VersionName.parse(text)
        case [*_, "aliases" | "stages", _]:
            return target(text)
    return NamespaceName.parse(text)


async def _followed(
    snapshot: Snapshot, name: _Name, read: Callable[[str], Awaitable[_Answer]]
) -> _Answer:
    """Read what has this name, or has it by a name that its model had at another time."""
    if isinstance(name, NamespaceName):
        return await read(str(name))
    return await follow(snapshot, name, lambda _, found: read(str(found)))


def _moment(page_token: str, as_of: Moment) -> Moment:
    """Return the moment that a page is of: that of the first page."""
    revision = pinned_revision(page_token)
    return Moment(revision=revision) if revision else as_of
