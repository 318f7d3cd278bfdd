"""Commands that read versions: one in full, many at once, found by what they say, compared."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen

app = typer.Typer()
version_app = typer.Typer(help="Versions: find, compare, draft, seal, change, archive them.")
Numbered = Annotated[list[str], typer.Argument(metavar="NAME/N...", help="Versions.")]


@command(app, "show")
@command(version_app, "show")
def show(context: Context, reference: options.Reference, as_of: options.AsOf = "") -> None:
    """Show one version in full."""
    from assay.cli.finding import find_version
    from assay.cli.redrawing import present
    from assay.cli.version_facts import show_version

    present(
        context,
        lambda moment: find_version(context, reference, moment),
        lambda screen, answer: show_version(screen, answer.model_version),
        as_of=as_of,
    )


@command(version_app, "get")
def get(context: Context, names: Numbered, as_of: options.AsOf = "") -> None:
    """Show many versions at once, one a row."""
    from assay.cli.batches import get_versions
    from assay.cli.listings import show_versions

    response = get_versions(context, names, as_of)

    def show_(screen: "Screen") -> None:
        show_versions(screen, response.model_versions, "None of them is there.")
        for missing in response.missing_names:
            screen.say(f"Not there: {missing}")

    context.answer(response, show_)


@command(version_app, "search")
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
    """Find versions of all models by filter and by words of names, descriptions and cards."""
    from assay.cli.listings import show_versions
    from assay.cli.moments import moment_or_now
    from assay.cli.searches import tell_rest
    from assay.metadata.v1.metadata_service_pb2 import SearchModelVersionsRequest
    from assay.paging import collect

    request = SearchModelVersionsRequest(
        parent=f"namespaces/{context.namespace}",
        text=" ".join(text or []),
        filter=where,
        order_by=order_by,
        page_token=page,
        count=count,
        as_of=moment_or_now(as_of),
    )
    response = collect(context.client.metadata.SearchModelVersions, request, limit)

    def show_(screen: "Screen") -> None:
        show_versions(screen, response.model_versions, "No versions fit.")
        tell_rest(context, screen, response, len(response.model_versions), asked=count)

    context.answer(response, show_)


@command(version_app, "compare")
def compare(
    context: Context,
    reference: options.Reference,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Version to compare it with.")],
) -> None:
    """Compare two versions: metrics, params, card, lineage, and files by digest."""
    from assay.cli.changes import show_differences
    from assay.cli.finding import version_name
    from assay.metadata.v1.metadata_service_pb2 import CompareModelVersionsRequest

    name, other_name = version_name(context, reference), version_name(context, other)
    request = CompareModelVersionsRequest(name=name, other_name=other_name)
    response = context.client.metadata.CompareModelVersions(request)
    context.answer(response, lambda screen: show_differences(screen, response, name, other_name))
