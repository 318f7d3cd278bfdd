"""Commands about namespaces: a tenant each, with all that is below it."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import Namespace

namespace_app = typer.Typer(help="Namespaces: make them, list them, see what changed in one.")
Id = Annotated[str, typer.Argument(metavar="NS", help="Lower-case letters, digits and hyphens.")]
MaybeId = Annotated[str, typer.Argument(metavar="[NS]", help="Namespace; that of --namespace.")]


@command(namespace_app, "create")
def create(context: Context, name: Id, description: options.Description = None) -> None:
    """Make a namespace."""
    from assay.metadata.v1.metadata_service_pb2 import CreateNamespaceRequest
    from assay.metadata.v1.resources_pb2 import Namespace

    context.hints["ALREADY_EXISTS"] = context.command("namespace", "show", of=(name,))
    request = CreateNamespaceRequest(
        namespace=Namespace(description=description or ""), namespace_id=name
    )
    response = context.client.metadata.CreateNamespace(request)
    context.answer(response, lambda screen: screen.say(f"The namespace {name} is there now."))


@command(namespace_app, "list")
def list_(context: Context, limit: options.Limit = 0) -> None:
    """List the namespaces."""
    from assay.metadata.v1.metadata_service_pb2 import ListNamespacesRequest
    from assay.paging import collect

    request = ListNamespacesRequest()
    response = collect(context.client.metadata.ListNamespaces, request, limit)

    def show_(screen: "Screen") -> None:
        from assay.cli.screen import last, moment
        from assay.cli.tables import Column

        columns = (Column("NAMESPACE"), Column("DESCRIPTION", least=12), Column("MADE", goes=1))
        rows = [[last(n.name), n.description, moment(n.create_time)] for n in response.namespaces]
        screen.table(columns, rows, "No namespaces yet: the first model makes one.")

    context.answer(response, show_)


@command(namespace_app, "show")
def show(context: Context, name: MaybeId = "") -> None:
    """Show one namespace."""
    from assay.metadata.v1.metadata_service_pb2 import GetNamespaceRequest
    from assay.names import NamespaceName

    context.hints["NOT_FOUND"] = context.command("namespace", "list")
    whole = str(NamespaceName.parse(f"namespaces/{name or context.namespace}"))
    response = context.client.metadata.GetNamespace(GetNamespaceRequest(name=whole))
    context.answer(response, lambda screen: _show(screen, response.namespace))


def _show(screen: "Screen", namespace: "Namespace") -> None:
    from assay.cli.screen import moment
    from assay.cli.stage_graphs import in_words

    screen.facts(
        [
            ("name", namespace.name),
            ("description", namespace.description),
            ("stage graph", in_words(namespace.stage_graph)),
            ("created", moment(namespace.create_time)),
            ("changed", moment(namespace.update_time)),
            ("etag", namespace.etag),
        ]
    )
