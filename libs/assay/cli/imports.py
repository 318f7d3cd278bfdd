"""Commands that move whole models: export them to a file, import them from one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.bulk import Imported, Listener
    from assay.cli.screen import Screen

app = typer.Typer()
import_app = typer.Typer(help="Import models, by the batch; run it again to go on.")


@command(app, "export")
def export(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME|namespaces/NS]", help="Model; the whole namespace if none."),
    ] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write.")
    ] = Path("export.jsonl"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a model, or all models of a namespace, to a file: an item a line, as JSON."""
    from assay import bulk, bulk_files
    from assay.metadata.v1.metadata_service_pb2 import ExportResponse

    parent = _parent(context, name)
    context.hints["NOT_FOUND"] = context.command("models")
    with context.screen.waiting(f"exporting {parent} …", quiet=context.as_json):
        items = bulk.export_items(context.client, parent)
        count = bulk_files.write(output, items, force=force)
    context.answer(
        ExportResponse(consistency_token=context.client.consistency_token),
        lambda screen: screen.say(f"Exported {count} item(s) of {parent} to {output}."),
    )


@command(import_app, "file")
def import_file(
    context: Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `assay export` wrote.")],
    into: Annotated[
        str, typer.Option(metavar="NS", help="Namespace to import into, instead of the file's.")
    ] = "",
    import_id: Annotated[
        str, typer.Option(metavar="UUID", help="Go on with this import, its file mended.")
    ] = "",
) -> None:
    """Import the items of a file; run it again after a stop, and it goes on."""
    from assay import bulk, bulk_files
    from assay.errors import AssayError
    from assay.metadata.v1.metadata_service_pb2 import ImportResponse

    source = bulk_files.Source.of(file, into)
    chosen = import_id or source.import_id
    try:
        with bar(source.count, quiet=context.as_json) as listen:
            done = bulk.import_items(
                context.client, source.items(chosen), import_id=chosen, listen=listen
            )
    except AssayError as error:
        words = ["--into", into] if into else []
        go_on = context.command("import", "file", str(file), *words, "--import-id", chosen)
        elsewhere = context.command("import", "file", str(file), "--into", "NAMESPACE")
        is_there = error.reason == "ALREADY_EXISTS"
        context.hints.setdefault(error.reason, elsewhere if is_there else go_on)
        raise

    def show(screen: "Screen") -> None:
        known = f", {done.known_batches} of them known" if done.known_batches else ""
        screen.say(
            f"Imported {done.items} item(s) in {done.batches} batch(es){known}: "
            f"{done.written_versions} version(s) written."
        )

    context.answer(
        ImportResponse(
            batch=done.batches,
            is_known=done.known_batches == done.batches,
            consistency_token=done.consistency_token,
            written_versions=done.written_versions,
        ),
        show,
    )


@contextmanager
def bar(total: int, *, quiet: bool) -> "Iterator[Listener]":
    """Show how many items are written, where somebody looks."""
    from assay.bulk import ignore

    if quiet or not sys.stderr.isatty():
        yield ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("import", total=total)

        def show(imported: "Imported") -> None:
            bars.update(task, completed=imported.items)

        yield show


def _parent(context: Context, name: str) -> str:
    """Return the resource name of what is exported."""
    from assay import references
    from assay.names import NamespaceName

    if not name:
        return str(NamespaceName.parse(f"namespaces/{context.namespace}"))
    if name.startswith("namespaces/") and name.count("/") == 1:
        return str(NamespaceName.parse(name))
    return str(references.model(name, context.namespace))
