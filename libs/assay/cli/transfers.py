"""Commands that move files: register and pull."""

from pathlib import Path
from typing import Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

app = typer.Typer()


@command(app, "register")
def register(  # noqa: PLR0917 - called by name
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model; made if new.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File, or folder of files.")],
    metric: options.Metrics = None,
    param: options.Params = None,
    tag: options.Tags = None,
    description: Annotated[str, typer.Option(help="What is new in it.")] = "",
    semantic_version: options.SemanticVersion = "",
    run: options.Run = None,
    about: options.About = None,
) -> None:
    """Store the files at PATH and register them as the next version of NAME."""
    from assay import registering
    from assay.cli.descriptions import details_of

    details = details_of(
        context.namespace, metric, param, tag, description, semantic_version, run, about
    )
    registering.finite(details.metrics)
    context.hints["MODEL_ARCHIVED"] = context.command("model", "restore", of=(name,))
    with context.screen.transfer(quiet=context.as_json) as listen:
        response = registering.register(context.client, name, path, details, listen)
    version = response.model_version

    from assay.cli.screen import short_digest, short_version, size

    context.answer(
        response,
        lambda screen: screen.say(
            f"Registered {short_version(version.name)}: {version.file_count} file(s), "
            f"{size(version.size_bytes)}, manifest {short_digest(version.manifest_digest)}."
        ),
    )


@command(app, "pull")
def pull(
    context: Context,
    reference: Annotated[str, typer.Argument(metavar="NAME@ALIAS|NAME/N")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that differ.")] = False,
) -> None:
    """Write the verified files of a version into DIR."""
    from assay import registering
    from assay.artifact.v1.artifact_service_pb2 import GetManifestResponse

    context.hints["NOT_FOUND"] = context.command("models")
    context.hints["FILE_EXISTS"] = context.command(
        "pull", "--force", of=(reference, str(directory))
    )
    with context.screen.transfer(quiet=context.as_json) as listen:
        manifest = registering.pull(
            context.client, reference, directory, force=force, listen=listen
        )

    from assay.cli.screen import short_digest, size

    context.answer(
        GetManifestResponse(manifest=manifest, consistency_token=context.client.consistency_token),
        lambda screen: screen.say(
            f"Pulled {reference} into {directory}: {len(manifest.files)} file(s), "
            f"{size(sum(file.size_bytes for file in manifest.files))}, "
            f"manifest {short_digest(manifest.manifest_digest)} verified."
        ),
    )
