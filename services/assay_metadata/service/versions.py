"""Handlers of versions."""

import assay.metadata.v1.metadata_service_pb2 as api
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelVersionRegistered
from assay.names import ArtifactName, ModelName, NamespaceName, RunName, VersionName, target
from assay_events.commands import Done
from assay_events.decider import Invalid
from assay_metadata import ports
from assay_metadata.domain.commands import ArchiveVersion, RegisterVersion, UpdateVersion
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Model
from assay_metadata.queries import versions
from assay_metadata.service import answers
from assay_metadata.service.parts import Parts, changes
from assay_serve.call import Context, intent


class Versions(Parts):
    """Versions: registered, read, resolved, listed, described, archived."""

    async def RegisterModelVersion(
        self, request: api.RegisterModelVersionRequest, context: Context
    ) -> api.RegisterModelVersionResponse:
        """Register the next version, once the artifact service has its manifest."""
        model, given = ModelName.parse(request.parent), request.model_version
        run = _run(given.run, model.parent)
        artifact = ArtifactName.of(model.parent, given.manifest_digest)
        manifest = await ports.committed_manifest(self._peers, artifact)
        command = RegisterVersion(
            str(model),
            artifact.digest,
            size_bytes=manifest.size_bytes,
            file_count=manifest.file_count,
            description=given.description,
            metrics=tuple(given.metrics),
            params=dict(given.params),
            tags=dict(given.tags),
            run=run,
        )
        done = await self._commands.handle(MODEL, str(model), command, intent(request, context))
        return api.RegisterModelVersionResponse(
            model_version=answers.version(done, _registered(done)), consistency_token=done.token
        )

    async def GetModelVersion(
        self, request: api.GetModelVersionRequest, context: Context
    ) -> api.GetModelVersionResponse:
        """Return one version, now or at a moment."""
        name = VersionName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.GetModelVersionResponse(
                model_version=await versions.get(snapshot, name), consistency_token=snapshot.token
            )

    async def Resolve(self, request: api.ResolveRequest, context: Context) -> api.ResolveResponse:
        """Return the version that an alias or a stage points at."""
        name = target(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            return api.ResolveResponse(
                model_version=await versions.resolve(snapshot, name),
                consistency_token=snapshot.token,
            )

    async def ListModelVersions(
        self, request: api.ListModelVersionsRequest, context: Context
    ) -> api.ListModelVersionsResponse:
        """List the versions of a model."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await versions.page(snapshot, parent, request)
            return api.ListModelVersionsResponse(
                model_versions=found,
                next_page_token=next_page_token,
                consistency_token=snapshot.token,
            )

    async def UpdateModelVersion(
        self, request: api.UpdateModelVersionRequest, context: Context
    ) -> api.UpdateModelVersionResponse:
        """Change a version's description or tags."""
        name, given = VersionName.parse(request.model_version.name), request.model_version
        paths, fields = changes(request.update_mask.paths, given.description, given.tags)
        command = UpdateVersion(str(name.parent), name.number, paths, fields)
        done = await self._commands.handle(
            MODEL,
            str(name.parent),
            command,
            intent(request, context, etag=given.etag),
            resource=str(name),
        )
        return api.UpdateModelVersionResponse(
            model_version=answers.version(done, name.number), consistency_token=done.token
        )

    async def ArchiveModelVersion(
        self, request: api.ArchiveModelVersionRequest, context: Context
    ) -> api.ArchiveModelVersionResponse:
        """Archive a version that holds no alias and no stage."""
        name = VersionName.parse(request.name)
        command = ArchiveVersion(str(name.parent), name.number)
        asked = intent(request, context)
        done = await self._commands.handle(
            MODEL, str(name.parent), command, asked, resource=str(name)
        )
        return api.ArchiveModelVersionResponse(
            model_version=answers.version(done, name.number), consistency_token=done.token
        )


def _run(name: str, namespace: NamespaceName) -> str:
    """Return the name of a run of this namespace, empty for none."""
    if not name:
        return ""
    run = RunName.parse(name)
    if run.namespace != namespace.namespace:
        raise Invalid(
            Reason.REASON_MALFORMED, f"Name a run of {namespace}.", field="model_version.run"
        )
    return str(run)


def _registered(done: Done[Model]) -> int:
    """Return the number of the version that the request registered."""
    recorded = done.first(ModelVersionRegistered)
    if recorded is None or not isinstance(recorded.event, ModelVersionRegistered):
        raise TypeError("A registration writes one event.")
    return recorded.event.number
