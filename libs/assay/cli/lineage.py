"""Commands that ask what was made from what."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.lineage.v1.lineage_service_pb2 import (
        ListDownstreamResponse,
        ListUpstreamResponse,
    )

app = typer.Typer(help="Ask what was made from what.")
Reference = Annotated[str, typer.Argument(metavar="NAME/N|NAME@ALIAS", help="Or a run, a dataset.")]
Depth = Annotated[int, typer.Option(min=0, max=100, help="Most steps; 0 for ten.")]


@command(app, "up")
def up(context: Context, reference: Reference, depth: Depth = 0) -> None:
    """List all that a version was made from."""
    from assay.lineage.v1.lineage_service_pb2 import ListUpstreamRequest

    context.hints["NOT_FOUND"] = context.command("models")
    request = ListUpstreamRequest(name=_node(context, reference), depth=depth)
    response = context.client.lineage.ListUpstream(request)
    context.answer(response, lambda screen: _show(screen, response))


@command(app, "down")
def down(context: Context, reference: Reference, depth: Depth = 0) -> None:
    """List all that was made from a version, run or dataset."""
    from assay.lineage.v1.lineage_service_pb2 import ListDownstreamRequest

    context.hints["NOT_FOUND"] = context.command("models")
    request = ListDownstreamRequest(name=_node(context, reference), depth=depth)
    response = context.client.lineage.ListDownstream(request)
    context.answer(response, lambda screen: _show(screen, response))


def _node(context: Context, reference: str) -> str:
    """Return the node's whole name; only an alias or stage has to be looked up."""
    from assay import references
    from assay.names import VersionName
    from assay.registering import resolve

    if reference.startswith("namespaces/"):
        return reference
    named = references.parse(reference, context.namespace)
    if isinstance(named, VersionName):
        return str(named)
    return resolve(context.client, reference).model_version.name


def _show(screen: "Screen", response: "ListUpstreamResponse | ListDownstreamResponse") -> None:
    from assay.cli.tables import Column
    from assay.lineage.v1.resources_pb2 import NodeKind

    rows = [
        [
            f"{'  ' * node.depth}{NodeKind.Name(node.kind).removeprefix('NODE_KIND_').lower()}",
            node.display_name,
            node.name,
        ]
        for node in response.nodes
    ]
    columns = (Column("NODE"), Column("CALLED", goes=1, least=12), Column("NAME", least=24))
    screen.table(columns, rows, "Nothing is known of it.")
    if response.truncated:
        screen.say("There is more: ask with a smaller --depth, or from another node.")
