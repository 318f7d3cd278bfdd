"""Commands for versions that get their files later, or never: drafts, and files kept elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command
from assay.cli.versions import version_app

if TYPE_CHECKING:
    from assay.cli.screen import Screen

Name = Annotated[str, typer.Argument(metavar="NAME", help="Model; made if new.")]
News = Annotated[str, typer.Option(help="What is new in it.")]


@command(version_app, "draft")
def draft(  # noqa: PLR0917 - called by name
    context: Context,
    name: Name,
    metric: options.Metrics = None,
    param: options.Params = None,
    tag: options.Tags = None,
    description: News = "",
    semantic_version: options.SemanticVersion = "",
    run: options.Run = None,
    about: options.About = None,
) -> None:
    """Take the next number of NAME for a version that has no files yet."""
    from assay import registering
    from assay.cli.descriptions import details_of

    details = details_of(
        context.namespace, metric, param, tag, description, semantic_version, run, about
    )
    context.hints["MODEL_ARCHIVED"] = context.command("model", "restore", of=(name,))
    version = registering.described(context.client, name, details)
    version.is_draft = True
    response = registering.add(context.client, name, version)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import short_version

        made = short_version(response.model_version.name)
        screen.say(f"Drafted {made}. Next: {context.command('version', 'seal', of=(made, 'PATH'))}")

    context.answer(response, show)


@command(version_app, "seal")
def seal(
    context: Context,
    reference: options.Numbered,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File, or folder of files.")],
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Store the files at PATH and give them to a draft, for good."""
    from assay import manifests, references
    from assay.metadata.v1.metadata_service_pb2 import SealModelVersionRequest
    from assay.uploads import upload

    version = references.version(reference, context.namespace)
    for why in ("VERSION_SEALED", "VERSION_ARCHIVED", "ETAG_MISMATCH"):
        context.hints[why] = context.command("show", of=(reference,))
    context.hints["NOT_FOUND"] = context.command("versions", of=(version.model,))
    files, namespace = manifests.walk(path), str(version.parent.parent)
    with context.screen.transfer(quiet=context.as_json) as listen:
        manifest = upload(context.client.artifact, namespace, files, listen)
    response = context.client.metadata.SealModelVersion(
        SealModelVersionRequest(
            name=str(version),
            manifest_digest=manifest.manifest_digest,
            reason=reason,
            etag=options.etag_of(etag),
        )
    )

    def show(screen: "Screen") -> None:
        from assay.cli.screen import short_digest, size

        sealed = response.model_version
        screen.say(
            f"Sealed {reference}: {sealed.file_count} file(s), {size(sealed.size_bytes)}, "
            f"manifest {short_digest(sealed.manifest_digest)}."
        )

    context.answer(response, show)


@command(version_app, "refer")
def refer(  # noqa: PLR0917 - called by name
    context: Context,
    name: Name,
    uri: Annotated[str, typer.Argument(metavar="URI", help="Where the files lie.")],
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="Their digest, sha256:HEX.")],
    metric: options.Metrics = None,
    param: options.Params = None,
    tag: options.Tags = None,
    description: News = "",
    semantic_version: options.SemanticVersion = "",
    run: options.Run = None,
    about: options.About = None,
) -> None:
    """Register a version whose files lie elsewhere; that they have DIGEST is your claim."""
    from assay import registering
    from assay.cli.descriptions import details_of

    details = details_of(
        context.namespace, metric, param, tag, description, semantic_version, run, about
    )
    context.hints["MODEL_ARCHIVED"] = context.command("model", "restore", of=(name,))
    version = registering.described(context.client, name, details)
    version.external_uri, version.manifest_digest = uri, digest
    response = registering.add(context.client, name, version)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import short_digest, short_version

        made = short_version(response.model_version.name)
        screen.say(f"Registered {made}, with files at {uri}, digest {short_digest(digest)}.")

    context.answer(response, show)
