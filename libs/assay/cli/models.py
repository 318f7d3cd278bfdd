"""Commands that read models: which there are, what they say of themselves, how they differ."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import Model

app = typer.Typer()
model_app = typer.Typer(help="Models: make, find, change, archive them.")
Metric = Annotated[list[str] | None, typer.Option(metavar="KEY", help="Show how this metric went.")]


@command(app, "models")
@command(model_app, "list")
def list_(
    context: Context,
    where: options.Filter = "",
    order_by: options.OrderBy = "",
    limit: options.Limit = 0,
    as_of: options.AsOf = "",
    watch: options.Watch = False,
) -> None:
    """List the models of a namespace."""
    from assay.cli.listings import show_models
    from assay.cli.redrawing import present
    from assay.metadata.v1.metadata_service_pb2 import ListModelsRequest
    from assay.paging import collect

    context.hints["NOT_FOUND"] = context.command("namespace", "list")
    parent = f"namespaces/{context.namespace}"
    present(
        context,
        lambda moment: collect(
            context.client.metadata.ListModels,
            ListModelsRequest(parent=parent, filter=where, order_by=order_by, as_of=moment),
            limit,
        ),
        lambda screen, answer: show_models(
            screen, answer.models, f"No models: {context.command('register', 'NAME', 'PATH')}"
        ),
        as_of=as_of,
        watched=parent if watch else "",
    )


@command(app, "versions")
@command(model_app, "versions")
def versions(  # noqa: PLR0917 - called by name
    context: Context,
    name: options.ModelName,
    where: options.Filter = "",
    order_by: options.OrderBy = "",
    limit: options.Limit = 0,
    metric: Metric = None,
    as_of: options.AsOf = "",
    watch: options.Watch = False,
) -> None:
    """List the versions of a model, newest first."""
    from assay import references
    from assay.cli.listings import show_trends, show_versions
    from assay.cli.redrawing import present
    from assay.metadata.v1.metadata_service_pb2 import (
        ListModelVersionsRequest,
        ListModelVersionsResponse,
    )
    from assay.paging import collect

    context.hints["NOT_FOUND"] = context.command("models")
    parent, keys = str(references.model(name, context.namespace)), metric or []

    def show(screen: "Screen", answer: ListModelVersionsResponse) -> None:
        found = answer.model_versions
        show_versions(screen, found, "No versions fit.", keys=keys, of_one_model=True)
        show_trends(screen, found, keys if found else [])

    present(
        context,
        lambda moment: collect(
            context.client.metadata.ListModelVersions,
            ListModelVersionsRequest(parent=parent, filter=where, order_by=order_by, as_of=moment),
            limit,
        ),
        show,
        as_of=as_of,
        watched=lasting(context, parent) if watch else "",
    )


@command(model_app, "show")
def show(context: Context, name: options.ModelName, as_of: options.AsOf = "") -> None:
    """Show one model in full."""
    from assay import references
    from assay.cli.redrawing import present
    from assay.metadata.v1.metadata_service_pb2 import GetModelRequest

    context.hints["NOT_FOUND"] = context.command("models")
    model = str(references.model(name, context.namespace))
    present(
        context,
        lambda moment: context.client.metadata.GetModel(GetModelRequest(name=model, as_of=moment)),
        lambda screen, answer: show_model(screen, answer.model),
        as_of=as_of,
    )


@command(model_app, "search")
def search(  # noqa: PLR0917 - called by name
    context: Context,
    text: options.Words = None,
    where: options.Filter = "",
    order_by: options.OrderBy = "",
    limit: options.Limit = 50,
    page: options.Page = "",
    count: options.Count = False,
    as_of: options.AsOf = "",
) -> None:
    """Find models by filter and by words of their names, descriptions and intended uses."""
    from assay.cli.listings import show_models
    from assay.cli.moments import moment_or_now
    from assay.cli.searches import tell_rest
    from assay.metadata.v1.metadata_service_pb2 import SearchModelsRequest
    from assay.paging import collect

    request = SearchModelsRequest(
        parent=f"namespaces/{context.namespace}",
        text=" ".join(text or []),
        filter=where,
        order_by=order_by,
        page_token=page,
        count=count,
        as_of=moment_or_now(as_of),
    )
    response = collect(context.client.metadata.SearchModels, request, limit)

    def show_(screen: "Screen") -> None:
        show_models(screen, response.models, "No models fit.")
        tell_rest(context, screen, response, len(response.models), asked=count)

    context.answer(response, show_)


@command(model_app, "get")
def get(context: Context, names: options.ModelNames, as_of: options.AsOf = "") -> None:
    """Show many models at once, one a row."""
    from assay.cli.batches import get_models
    from assay.cli.listings import show_models

    response = get_models(context, names, as_of)

    def show_(screen: "Screen") -> None:
        show_models(screen, response.models, "None of them is there.")
        for missing in response.missing_names:
            screen.say(f"Not there: {missing}")

    context.answer(response, show_)


def show_model(screen: "Screen", model: "Model") -> None:
    """Print all that a model says of itself."""
    from assay.cli.listings import called, pairs, state
    from assay.cli.screen import moment
    from assay.cli.stage_graphs import in_words

    imported = model.imported
    screen.facts(
        [
            ("name", model.name),
            ("called", called(model)),
            ("state", state(model.state)),
            ("versions", str(model.latest_number)),
            ("tier", model.tier),
            ("owners", ", ".join(model.owners)),
            ("intended use", model.intended_use),
            ("description", model.description),
            ("tags", pairs(model.tags)),
            ("stage graph", in_words(model.stage_graph)),
            ("imported", " by ".join(filter(None, (imported.source, imported.author)))),
            ("created", moment(model.create_time)),
            ("changed", moment(model.update_time)),
            ("etag", model.etag),
        ]
    )


def lasting(context: Context, name: str) -> str:
    """Return the name that a model was created with: events about it have that one."""
    from assay.metadata.v1.metadata_service_pb2 import GetModelRequest

    return context.client.metadata.GetModel(GetModelRequest(name=name)).model.name
