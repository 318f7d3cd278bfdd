"""Commands that tell what happened, and what differs between two moments."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command
from assay.cli.models import lasting, model_app
from assay.cli.namespaces import namespace_app

if TYPE_CHECKING:
    from assay.metadata.v1.metadata_service_pb2 import ListHistoryResponse

app = typer.Typer()
_PARTS_OF_A_MODEL = 4
Resource = Annotated[
    str, typer.Argument(metavar="NAME|NAME/N|NAME@ALIAS", help="Or a whole resource name.")
]


@command(app, "history")
def history(context: Context, resource: Resource, limit: options.Limit = 0) -> None:
    """List what happened to a model, version, alias, stage or namespace, newest first."""
    from assay.cli.changes import show_history

    context.hints["NOT_FOUND"] = context.command("models")
    response = _found(context, resource, limit)
    context.answer(response, lambda screen: show_history(screen, response.entries))


@command(model_app, "diff")
def diff_model(
    context: Context,
    name: options.ModelName,
    since: options.Since,
    until: options.Until = "",
    limit: options.Limit = 0,
) -> None:
    """Say what changed in a model, and below it, between two moments."""
    from assay import references

    context.hints["NOT_FOUND"] = context.command("models")
    model = lasting(context, str(references.model(name, context.namespace)))
    _diff(context, model, since, until, limit)


@command(namespace_app, "diff")
def diff_namespace(
    context: Context,
    since: options.Since,
    until: options.Until = "",
    limit: options.Limit = 0,
) -> None:
    """Say what changed in the whole namespace between two moments."""
    context.hints["NOT_FOUND"] = context.command("namespace", "list")
    _diff(context, f"namespaces/{context.namespace}", since, until, limit)


def _diff(context: Context, name: str, since: str, until: str, limit: int) -> None:
    from assay.cli.changes import show_changes
    from assay.cli.moments import moment_of, moment_or_now
    from assay.metadata.v1.metadata_service_pb2 import DiffRequest
    from assay.paging import collect

    request = DiffRequest(name=name, from_moment=moment_of(since), to_moment=moment_or_now(until))
    response = collect(context.client.metadata.Diff, request, limit)
    context.answer(
        response, lambda screen: show_changes(screen, response.changes, "Nothing changed.")
    )


def _found(context: Context, text: str, limit: int) -> "ListHistoryResponse":
    """Return the history of the first reading of `text` that has one.

    `a@b` may be an alias, a stage or a model of that name.
    """
    from assay.errors import NotFound
    from assay.metadata.v1.metadata_service_pb2 import ListHistoryRequest
    from assay.paging import collect

    *others, last = _readings(text, context.namespace)
    for reading in others:
        try:
            request = ListHistoryRequest(name=_lasting(context, reading))
            return collect(context.client.metadata.ListHistory, request, limit)
        except NotFound:
            continue
    request = ListHistoryRequest(name=_lasting(context, last))
    return collect(context.client.metadata.ListHistory, request, limit)


def _lasting(context: Context, name: str) -> str:
    """Return the name of a resource below the name that its model was created with."""
    parts = name.split("/")
    if len(parts) < _PARTS_OF_A_MODEL:
        return name
    model = "/".join(parts[:_PARTS_OF_A_MODEL])
    return lasting(context, model) + name.removeprefix(model)


def _readings(text: str, namespace: str) -> list[str]:
    from contextlib import suppress

    from assay import references
    from assay.errors import Invalid
    from assay.names import MalformedName
    from assay.references import Labelled

    if text.startswith("namespaces/"):
        return [text]
    if "/" in text:
        return [str(references.version(text, namespace))]
    readings = []
    with suppress(Invalid, MalformedName):
        named = references.parse(text, namespace)
        if isinstance(named, Labelled):
            readings += [str(named.alias), str(named.stage)]
    return [*readings, str(references.model(text, namespace))]
