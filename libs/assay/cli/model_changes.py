"""Commands that change models: made, described, renamed, archived, restored."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command
from assay.cli.models import model_app, show_model

if TYPE_CHECKING:
    from assay.metadata.v1.resources_pb2 import Model


@command(model_app, "create")
def create(
    context: Context,
    name: options.ModelName,
    description: options.Description = None,
    intended_use: options.IntendedUse = None,
    tier: options.Tier = None,
    owner: options.Owners = None,
    tag: options.Tags = None,
) -> None:
    """Make a model without a version."""
    from assay import references
    from assay.cli.pairs import texts
    from assay.metadata.v1.metadata_service_pb2 import CreateModelRequest
    from assay.metadata.v1.resources_pb2 import Model

    context.hints["ALREADY_EXISTS"] = context.command("model", "show", of=(name,))
    whole = references.model(name, context.namespace)
    model = Model(
        description=description or "",
        intended_use=intended_use or "",
        tier=tier or "",
        owners=owner or [],
        tags=texts("tag", tag or []),
    )
    request = CreateModelRequest(parent=str(whole.parent), model=model, model_id=whole.model)
    response = context.client.metadata.CreateModel(request)
    context.answer(response, lambda screen: show_model(screen, response.model))


@command(model_app, "update")
def update(  # noqa: PLR0917 - called by name
    context: Context,
    name: options.ModelName,
    description: options.Description = None,
    intended_use: options.IntendedUse = None,
    tier: options.Tier = None,
    owner: options.Owners = None,
    disown: options.Disown = None,
    tag: options.Tags = None,
    untag: options.Untag = None,
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Change what a model says of itself; what is not named stays."""
    from google.protobuf.field_mask_pb2 import FieldMask

    from assay.cli import edits
    from assay.cli.pairs import texts
    from assay.metadata.v1.metadata_service_pb2 import UpdateModelRequest
    from assay.metadata.v1.resources_pb2 import Model

    given = {"description": description, "intended_use": intended_use, "tier": tier}
    edit = edits.Edit(texts("tag", tag or []), untag or [], owner or [], disown or [])
    paths = [field for field in given if given[field] is not None]
    paths += [*(["tags"] if tag or untag else []), *(["owners"] if owner or disown else [])]
    told = "--description, --intended-use, --tier, --owner, --disown, --tag or --untag"
    edits.require_something(paths, told)

    def changed(model: Model) -> Model:
        return Model(
            name=model.name,
            etag=options.etag_of(etag) or model.etag,
            tags=edit.tags_after(model.tags),
            owners=edit.owners_after(model.owners),
            description=description or "",
            intended_use=intended_use or "",
            tier=tier or "",
        )

    context.hints["ETAG_MISMATCH"] = context.command("model", "show", of=(name,))
    response = edits.read_and_write(
        lambda: _get(context, name),
        lambda model: context.client.metadata.UpdateModel(
            UpdateModelRequest(
                model=changed(model), update_mask=FieldMask(paths=paths), reason=reason
            )
        ),
        is_pinned=bool(etag),
    )
    context.answer(response, lambda screen: show_model(screen, response.model))


@command(model_app, "rename")
def rename(
    context: Context,
    name: options.ModelName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its name from now on.")],
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Give a model another name; every name that it had leads to it for ever."""
    from assay.metadata.v1.metadata_service_pb2 import RenameModelRequest

    whole = _whole(context, name)
    context.hints["ALREADY_EXISTS"] = context.command("model", "show", of=(new,))
    request = RenameModelRequest(
        name=whole, new_model_id=new, reason=reason, etag=options.etag_of(etag)
    )
    response = context.client.metadata.RenameModel(request)
    context.answer(
        response,
        lambda screen: screen.say(
            f"{name} is called {response.model.display_name} now; {name} still leads to it."
        ),
    )


@command(model_app, "archive")
def archive(
    context: Context,
    name: options.ModelName,
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Keep a model, but let it take no version, alias or stage."""
    from assay.metadata.v1.metadata_service_pb2 import ArchiveModelRequest

    whole = _whole(context, name)
    request = ArchiveModelRequest(name=whole, reason=reason, etag=options.etag_of(etag))
    response = context.client.metadata.ArchiveModel(request)
    back = context.command("model", "restore", of=(name,))
    context.answer(response, lambda screen: screen.say(f"{name} is archived. To undo: {back}"))


@command(model_app, "restore")
def restore(
    context: Context,
    name: options.ModelName,
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Take an archived model back into use."""
    from assay.metadata.v1.metadata_service_pb2 import RestoreModelRequest

    whole = _whole(context, name)
    request = RestoreModelRequest(name=whole, reason=reason, etag=options.etag_of(etag))
    response = context.client.metadata.RestoreModel(request)
    context.answer(response, lambda screen: screen.say(f"{name} is in use again."))


def _whole(context: Context, name: str) -> str:
    """Return the resource name of a model, and be ready for what may be wrong with it."""
    from assay import references

    context.hints["NOT_FOUND"] = context.command("models")
    context.hints["ETAG_MISMATCH"] = context.command("model", "show", of=(name,))
    return str(references.model(name, context.namespace))


def _get(context: Context, name: str) -> "Model":
    from assay.metadata.v1.metadata_service_pb2 import GetModelRequest

    request = GetModelRequest(name=_whole(context, name))
    return context.client.metadata.GetModel(request).model
