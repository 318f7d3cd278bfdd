"""Handlers of versions."""

from collections.abc import Sequence
from dataclasses import replace

import assay.metadata.v1.metadata_service_pb2 as api
from assay.artifact.v1.resources_pb2 import Manifest
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelVersionRegistered
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.names import (
    AliasName,
    ArtifactName,
    ModelName,
    NamespaceName,
    RunName,
    StageName,
    VersionName,
    target,
)
from assay_events.commands import Done
from assay_events.decider import Invalid
from assay_metadata import ports
from assay_metadata.domain.commands import (
    ArchiveVersion,
    RegisterVersion,
    RestoreVersion,
    SealVersion,
    UpdateVersion,
)
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.presence import existing, known_version
from assay_metadata.domain.state import Model
from assay_metadata.queries import versions
from assay_metadata.queries.names import follow
from assay_metadata.service import answers
from assay_metadata.service.parts import (
    FREE_FIELDS_OF_A_VERSION,
    Parts,
    card_of,
    changes,
    fields_of_version,
    fitting,
    require_in,
)
from assay_serve.call import Context, intent
from assay_serve.postgres import Snapshot


class Versions(Parts):
    """Versions: registered, sealed, read, resolved, listed, described, archived, restored."""

    async def RegisterModelVersion(
        self, request: api.RegisterModelVersionRequest, context: Context
    ) -> api.RegisterModelVersionResponse:
        """Register the next version, once its manifest is committed."""
        name, given = ModelName.parse(request.parent), request.model_version
        command = await self._registration(name, given)
        done = await self._handle(
            name, lambda model: replace(command, model=str(model)), intent(request, context)
        )
        return api.RegisterModelVersionResponse(
            model_version=answers.version(done, _registered(done)), consistency_token=done.token
        )

    async def SealModelVersion(
        self, request: api.SealModelVersionRequest, context: Context
    ) -> api.SealModelVersionResponse:
        """Give a draft its files, once their manifest is committed."""
        name = VersionName.parse(request.name)
        artifact = ArtifactName.of(name.parent.parent, request.manifest_digest)
        manifest = await ports.committed_manifest(self._commands, artifact)
        done = await self._handle(
            name,
            lambda version: SealVersion(
                str(version.parent),
                version.number,
                artifact.digest,
                size_bytes=manifest.size_bytes,
                file_count=manifest.file_count,
            ),
            intent(request, context),
        )
        return api.SealModelVersionResponse(
            model_version=answers.version(done, name.number), consistency_token=done.token
        )

    async def GetModelVersion(
        self, request: api.GetModelVersionRequest, context: Context
    ) -> api.GetModelVersionResponse:
        """Return one version, now or at a moment."""
        name = VersionName.parse(request.name)
        async with self._reads.by_revision(
            request.at_least_as_fresh, request.as_of, context
        ) as snapshot:
            return api.GetModelVersionResponse(
                model_version=await follow(snapshot, name, versions.get),
                consistency_token=snapshot.token,
            )

    async def Resolve(self, request: api.ResolveRequest, context: Context) -> api.ResolveResponse:
        """Return the version that an alias or a stage points at."""
        name = target(request.name)
        async with self._reads.by_revision(
            request.at_least_as_fresh, request.as_of, context
        ) as snapshot:
            return api.ResolveResponse(
                model_version=await _resolve(snapshot, name),
                consistency_token=snapshot.token,
            )

    async def ListModelVersions(
        self, request: api.ListModelVersionsRequest, context: Context
    ) -> api.ListModelVersionsResponse:
        """List the versions of a model."""
        parent = ModelName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            found, next_page_token = await follow(
                snapshot, parent, lambda at, model: versions.page(at, model, request)
            )
            return api.ListModelVersionsResponse(
                model_versions=found,
                next_page_token=next_page_token,
                consistency_token=snapshot.token,
            )

    async def BatchGetModelVersions(
        self, request: api.BatchGetModelVersionsRequest, context: Context
    ) -> api.BatchGetModelVersionsResponse:
        """Return many versions of a namespace, by whatever name their models are asked for."""
        parent = NamespaceName.parse(request.parent)
        names = [VersionName.parse(name) for name in request.names]
        require_in(parent, names)
        async with self._reads.by_revision(
            request.at_least_as_fresh, request.as_of, context
        ) as snapshot:
            found = await versions.many(snapshot, names)
            answer = api.BatchGetModelVersionsResponse(
                model_versions=[found[str(name)] for name in names if str(name) in found],
                missing_names=[str(name) for name in names if str(name) not in found],
                consistency_token=snapshot.token,
            )
        return fitting(answer)

    async def UpdateModelVersion(
        self, request: api.UpdateModelVersionRequest, context: Context
    ) -> api.UpdateModelVersionResponse:
        """Change a version's free fields."""
        name, given = VersionName.parse(request.model_version.name), request.model_version
        paths, fields = changes(
            request.update_mask.paths, fields_of_version(given), FREE_FIELDS_OF_A_VERSION
        )
        done = await self._handle(
            name,
            lambda version: UpdateVersion(str(version.parent), version.number, paths, fields),
            intent(request, context, etag=given.etag),
        )
        return api.UpdateModelVersionResponse(
            model_version=answers.version(done, name.number), consistency_token=done.token
        )

    async def ArchiveModelVersion(
        self, request: api.ArchiveModelVersionRequest, context: Context
    ) -> api.ArchiveModelVersionResponse:
        """Archive a version that holds no alias and no stage."""
        name, asked = VersionName.parse(request.name), intent(request, context)
        done = await self._handle(
            name, lambda version: ArchiveVersion(str(version.parent), version.number), asked
        )
        return api.ArchiveModelVersionResponse(
            model_version=answers.version(done, name.number), consistency_token=done.token
        )

    async def RestoreModelVersion(
        self, request: api.RestoreModelVersionRequest, context: Context
    ) -> api.RestoreModelVersionResponse:
        """Take an archived version back into use."""
        name, asked = VersionName.parse(request.name), intent(request, context)
        done = await self._handle(
            name, lambda version: RestoreVersion(str(version.parent), version.number), asked
        )
        return api.RestoreModelVersionResponse(
            model_version=answers.version(done, name.number), consistency_token=done.token
        )

    async def _registration(self, model: ModelName, given: ModelVersion) -> RegisterVersion:
        """Return the command that registers a version, with what others know of it."""
        command = registration(model, given, await self._parents(model, given.parent_versions))
        if not is_kept(given):
            return command
        artifact = ArtifactName.of(model.parent, given.manifest_digest)
        return with_files(command, await ports.committed_manifest(self._commands, artifact))

    async def _parents(self, model: ModelName, names: Sequence[str]) -> tuple[str, ...]:
        """Return the versions that another was made from by their lasting names."""
        parents = [await self._resolved(VersionName.parse(name)) for name in names]
        for parent in parents:
            if parent.namespace != model.namespace:
                raise Invalid(
                    Reason.REASON_MALFORMED,
                    f"Name versions of {model.parent}; {parent} is none.",
                    field="model_version.parent_versions",
                )
            state = (await self._commands.fold(MODEL, str(parent.parent))).state
            existing(str(parent.parent), state)
            known_version(str(parent.parent), parent.number, state)
        return tuple(dict.fromkeys(map(str, parents)))


def registration(model: ModelName, given: ModelVersion, parents: Sequence[str]) -> RegisterVersion:
    """Return the command that registers a version, as a request gives it."""
    digest = given.manifest_digest
    return RegisterVersion(
        str(model),
        ArtifactName.of(model.parent, digest).digest if digest else "",
        description=given.description,
        metrics=tuple(given.metrics),
        params=dict(given.params),
        tags=dict(given.tags),
        run=_run(given.run, model.parent),
        card=card_of(given),
        signature=given.signature,
        format=given.format,
        parent_versions=tuple(parents),
        semantic_version=given.semantic_version,
        external_uri=given.external_uri,
        is_draft=given.is_draft,
        imported=given.imported,
    )


def is_kept(given: ModelVersion) -> bool:
    """Return whether the artifact service has the files; else the digest is the caller's word."""
    return bool(given.manifest_digest) and not given.external_uri


def with_files(command: RegisterVersion, manifest: Manifest) -> RegisterVersion:
    """Return the command with what the artifact service knows of the files."""
    return replace(command, size_bytes=manifest.size_bytes, file_count=manifest.file_count)


async def _resolve(snapshot: Snapshot, name: AliasName | StageName) -> ModelVersion:
    """Return the version that an alias or a stage points at, whatever its model is called."""
    if isinstance(name, AliasName):
        return await follow(snapshot, name, versions.resolve)
    return await follow(snapshot, name, versions.resolve)


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
