"""Commands that change versions: described, archived, restored."""

from typing import TYPE_CHECKING

from assay.cli import options
from assay.cli.command import Context, command
from assay.cli.versions import version_app

if TYPE_CHECKING:
    from assay.metadata.v1.resources_pb2 import ModelVersion


@command(version_app, "update")
def update(  # noqa: PLR0917 - called by name
    context: Context,
    reference: options.Reference,
    description: options.Description = None,
    card: options.Card = None,
    tag: options.Tags = None,
    untag: options.Untag = None,
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Change what a version says of itself; what is not named stays."""
    from google.protobuf.field_mask_pb2 import FieldMask

    from assay.cli import edits
    from assay.cli.descriptions import card_of
    from assay.cli.pairs import texts
    from assay.cli.version_facts import show_version
    from assay.metadata.v1.metadata_service_pb2 import UpdateModelVersionRequest
    from assay.metadata.v1.resources_pb2 import ModelVersion

    given = {"description": description is not None, "card": card, "tags": tag or untag}
    paths = [path for path, value in given.items() if value]
    edits.require_something(paths, "--description, --card, --tag or --untag")
    edit = edits.Edit(texts("tag", tag or []), untag or [])
    new_card = card_of(card) if card else None

    def changed(version: ModelVersion) -> ModelVersion:
        return ModelVersion(
            name=version.name,
            etag=options.etag_of(etag) or version.etag,
            description=description or "",
            tags=edit.tags_after(version.tags),
            card=new_card,
        )

    context.hints["ETAG_MISMATCH"] = context.command("show", of=(reference,))
    response = edits.read_and_write(
        lambda: _get(context, reference),
        lambda version: context.client.metadata.UpdateModelVersion(
            UpdateModelVersionRequest(
                model_version=changed(version), update_mask=FieldMask(paths=paths), reason=reason
            )
        ),
        is_pinned=bool(etag),
    )
    context.answer(response, lambda screen: show_version(screen, response.model_version))


@command(version_app, "archive")
def archive(
    context: Context,
    reference: options.Numbered,
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Keep a version, but let no alias or stage take it."""
    from assay.metadata.v1.metadata_service_pb2 import ArchiveModelVersionRequest

    whole = _whole(context, reference)
    context.hints["VERSION_HELD"] = context.command("show", of=(reference,))
    request = ArchiveModelVersionRequest(name=whole, reason=reason, etag=options.etag_of(etag))
    response = context.client.metadata.ArchiveModelVersion(request)
    back = context.command("version", "restore", of=(reference,))
    context.answer(response, lambda screen: screen.say(f"{reference} is archived. To undo: {back}"))


@command(version_app, "restore")
def restore(
    context: Context,
    reference: options.Numbered,
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Take an archived version back into use."""
    from assay.metadata.v1.metadata_service_pb2 import RestoreModelVersionRequest

    whole = _whole(context, reference)
    request = RestoreModelVersionRequest(name=whole, reason=reason, etag=options.etag_of(etag))
    response = context.client.metadata.RestoreModelVersion(request)
    context.answer(response, lambda screen: screen.say(f"{reference} is in use again."))


def _whole(context: Context, reference: str) -> str:
    """Return the resource name of a version, and be ready for what may be wrong with it."""
    from assay import references

    version = references.version(reference, context.namespace)
    context.hints["NOT_FOUND"] = context.command("versions", of=(version.model,))
    context.hints["ETAG_MISMATCH"] = context.command("show", of=(reference,))
    return str(version)


def _get(context: Context, reference: str) -> "ModelVersion":
    from assay.cli.finding import find_version

    return find_version(context, reference).model_version
