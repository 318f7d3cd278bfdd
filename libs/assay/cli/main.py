"""`assay`: register models, move them, have them approved, and answer the auditor."""

import typer

from assay.cli import (
    approvals,
    audit,
    import_mlflow,
    imports,
    keys,
    lineage,
    logins,
    models,
    moves,
    policies,
    stack,
    transfers,
)

# These add their commands to groups of other modules.
ADDING = (import_mlflow,)

app = typer.Typer(
    help="Assay keeps models, and can prove who approved what.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (stack, transfers, models, moves, approvals, audit, logins, imports):
    app.registered_commands += part.app.registered_commands
for name, group in (
    ("alias", moves.alias_app),
    ("stage", moves.stage_app),
    ("lineage", lineage.app),
    ("policy", policies.app),
    ("approval", approvals.approval_app),
    ("key", keys.app),
    ("audit", audit.audit_app),
    ("import", imports.import_app),
):
    app.add_typer(group, name=name, no_args_is_help=True)


@app.callback(invoke_without_command=True)
def _top(
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"assay {installed('assay')}")
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    app(prog_name="assay")
