"""The command that looks up many aliases and stages at once."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.metadata_service_pb2 import BatchResolveResponse, Resolved

app = typer.Typer()
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME@ALIAS]...", help="One a line on stdin where none is given."),
]


@command(app, "resolve")
def resolve(context: Context, names: Names = None, as_of: options.AsOf = "") -> None:
    """Look up what many aliases or stages point at; status 1 where one points at nothing."""
    given = names or _lines()
    response = _resolved(context, given, as_of)
    context.answer(response, lambda screen: _show(screen, given, response))
    if not all(found.HasField("model_version") for found in response.resolved):
        raise typer.Exit(1)


def _lines() -> list[str]:
    """Return the lines of stdin that say something."""
    from assay.errors import Invalid

    if sys.stdin.isatty():
        raise Invalid("Name what to look up, as NAME@ALIAS.", reason="REQUIRED")
    return [line.strip() for line in sys.stdin if line.strip()]


def _resolved(context: Context, given: Sequence[str], as_of: str) -> "BatchResolveResponse":
    """Return what each name points at: an alias of that name, else a stage."""
    from assay.cli import batches
    from assay.metadata.v1.metadata_service_pb2 import BatchResolveResponse

    readings = [_readings(name, context.namespace) for name in given]
    found = batches.resolve(context, [each[0] for each in readings], as_of)
    others = {each[0]: each[-1] for each in readings}
    again = [others[r.name] for r in found.resolved if not r.HasField("model_version")]
    stages = {r.name: r for r in batches.resolve(context, again, as_of).resolved}

    def best(resolved: "Resolved") -> "Resolved":
        return resolved if resolved.HasField("model_version") else stages[others[resolved.name]]

    return BatchResolveResponse(
        resolved=[best(each) for each in found.resolved],
        consistency_token=context.client.consistency_token,
    )


def _readings(text: str, namespace: str) -> list[str]:
    """Return the alias and the stage that a text may mean; a whole name means what it says."""
    from assay import references
    from assay.errors import Invalid
    from assay.names import target
    from assay.references import Labelled

    if text.startswith("namespaces/"):
        return [str(target(text))]
    named = references.parse(text, namespace)
    if not isinstance(named, Labelled):
        raise Invalid(f"Name an alias or a stage, as NAME@ALIAS, not {text!r}.", reason="MALFORMED")
    return [str(named.alias), str(named.stage)]


def _show(screen: "Screen", given: Sequence[str], response: "BatchResolveResponse") -> None:
    from assay.cli.screen import short_version
    from assay.cli.tables import Column

    rows = [
        [
            name,
            short_version(found.model_version.name) or "nothing",
            found.model_version.manifest_digest,
        ]
        for name, found in zip(given, response.resolved, strict=True)
    ]
    columns = (Column("NAME"), Column("VERSION"), Column("MANIFEST", goes=1))
    screen.table(columns, rows, "Nothing was asked.")
