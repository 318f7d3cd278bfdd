"""The version that somebody means: by number, alias or stage, now or at a moment."""

from assay import references
from assay.cli.command import Context
from assay.errors import NotFound
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.names import VersionName
from assay.type.v1.moment_pb2 import Moment


def find_version(
    context: Context, reference: str, moment: Moment | None = None
) -> api.ResolveResponse | api.GetModelVersionResponse:
    """Return the version that NAME/N, NAME@ALIAS or else NAME@STAGE stood for."""
    metadata = context.client.metadata
    named = references.parse(reference, context.namespace)
    model = named.model if isinstance(named, VersionName) else named.model.model
    context.hints["NOT_FOUND"] = context.command("versions", of=(model,))
    if isinstance(named, VersionName):
        return metadata.GetModelVersion(api.GetModelVersionRequest(name=str(named), as_of=moment))
    try:
        return metadata.Resolve(api.ResolveRequest(name=str(named.alias), as_of=moment))
    except NotFound:
        try:
            return metadata.Resolve(api.ResolveRequest(name=str(named.stage), as_of=moment))
        except NotFound as neither:
            raise NotFound(
                f"Model {model} has no alias and no stage {named.label!r}.",
                metadata={**neither.metadata, "model": model},
            ) from None


def version_name(context: Context, reference: str) -> str:
    """Return the whole name of a version; only an alias or stage has to be looked up."""
    named = references.parse(reference, context.namespace)
    if isinstance(named, VersionName):
        context.hints["NOT_FOUND"] = context.command("versions", of=(named.model,))
        return str(named)
    return find_version(context, reference).model_version.name
