"""`assay`: register models, move them, have them approved, and answer the auditor."""

import typer

from assay.cli import (
    approval_endings,
    approval_signing,
    approvals,
    audit,
    drafts,
    histories,
    holders,
    import_mlflow,
    imports,
    inbox,
    keys,
    lineage,
    logins,
    model_cards,
    model_changes,
    models,
    moves,
    namespaces,
    policies,
    principals,
    proposals,
    resolving,
    roles,
    stack,
    stage_graphs,
    transfers,
    version_changes,
    versions,
)

PARTS = (
    stack,
    transfers,
    models,
    versions,
    histories,
    resolving,
    inbox,
    audit,
    logins,
    imports,
)
GROUPS = (
    ("namespace", namespaces.namespace_app),
    ("model", models.model_app),
    ("version", versions.version_app),
    ("card", model_cards.card_app),
    ("alias", moves.alias_app),
    ("stage", moves.stage_app),
    ("lineage", lineage.app),
    ("principal", principals.app),
    ("role", roles.app),
    ("proposal", proposals.app),
    ("policy", policies.app),
    ("approval", approvals.approval_app),
    ("key", keys.app),
    ("audit", audit.audit_app),
    ("import", imports.import_app),
)
# These add their commands to groups of other modules.
ADDING = (
    approval_endings,
    approval_signing,
    drafts,
    histories,
    holders,
    import_mlflow,
    model_changes,
    version_changes,
)

app = typer.Typer(
    help="Assay keeps models, and can prove who approved what.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
moves.stage_app.add_typer(stage_graphs.graph_app, name="graph", no_args_is_help=True)
for part in PARTS:
    app.registered_commands += part.app.registered_commands
for name, group in GROUPS:
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
