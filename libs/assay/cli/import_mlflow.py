"""`assay import mlflow`: bring a registry of MLflow in, and compare it with what came of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.imports import import_app

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.mlflow.report import Report

Uri = Annotated[str, typer.Argument(metavar="URI", help="http or https address of the server.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model; repeat it.")
]
NoFiles = Annotated[
    bool, typer.Option("--no-files", help="Refer to where the files lie, and copy none.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and count; write nothing.")]
AllowMissing = Annotated[
    bool,
    typer.Option("--allow-missing-files", help="Leave files that cannot be read where they lie."),
]
CheckBytes = Annotated[
    bool,
    typer.Option("--check-bytes", help="Download all files again at the end, compare digests."),
]
Token = Annotated[
    str,
    typer.Option(metavar="TOKEN", envvar="MLFLOW_TRACKING_TOKEN", help="Bearer token of MLflow."),
]
Username = Annotated[
    str, typer.Option(metavar="NAME", envvar="MLFLOW_TRACKING_USERNAME", help="Name at MLflow.")
]
Password = Annotated[
    str,
    typer.Option(metavar="WORD", envvar="MLFLOW_TRACKING_PASSWORD", help="Password at MLflow."),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="MLFLOW_TRACKING_SERVER_CERT_PATH",
        help="Certificates to trust, instead of the system's.",
    ),
]


@command(import_app, "mlflow")
def import_mlflow(  # noqa: PLR0917 - called by name
    context: Context,
    uri: Uri,
    model: Models = None,
    no_files: NoFiles = False,
    dry_run: DryRun = False,
    allow_missing_files: AllowMissing = False,
    check_bytes: CheckBytes = False,
    token: Token = "",
    username: Username = "",
    password: Password = "",
    ca_file: CaFile = None,
) -> None:
    """Import the model registry of an MLflow server; run it again to go on, or to compare."""
    from assay.mlflow.importing import Importer
    from assay.mlflow.options import Options
    from assay.mlflow.source import Login, Source
    from assay.names import slug

    context.hints["SOURCE_FAILED"] = context.hints["SOURCE_UNAVAILABLE"] = ""
    options = Options(
        namespace=slug(context.namespace),
        models=tuple(model or ()),
        with_files=not no_files,
        is_dry_run=dry_run,
        allow_missing=allow_missing_files,
        check_bytes=check_bytes,
        command_options=_shared(context),
    )
    source = Source(uri, Login(username, password, token), str(ca_file or ""))
    with _bar(quiet=context.as_json) as listen:
        report = Importer(context.client, source, options, listen).run()
    _answer(context, report, is_dry_run=dry_run)
    if not report.is_clean:
        raise typer.Exit(1)


def _answer(context: Context, report: "Report", *, is_dry_run: bool) -> None:
    if context.as_json:
        import json

        print(json.dumps(report.to_dict(), indent=2, ensure_ascii=True))
        return
    _show(context.screen, report, is_dry_run=is_dry_run)


def _show(screen: "Screen", report: "Report", *, is_dry_run: bool) -> None:
    from assay.cli.screen import size
    from assay.mlflow.report import KINDS

    if is_dry_run:
        rows = [[kind, str(report.source[kind])] for kind in KINDS if report.source[kind]]
        screen.table(["what", "would be imported"], rows, "Nothing would be imported.")
    else:
        rows = [
            [kind, str(report.source[kind]), str(report.same[kind])]
            for kind in KINDS
            if report.source[kind]
        ]
        screen.table(["what", "in the source", "the same in Assay"], rows, "Nothing was compared.")
    for title, lines in (
        ("Note", report.notes),
        ("Refused", report.refused),
        ("Differs", report.differences),
    ):
        for line in lines:
            screen.say(f"{title}: {line}")
    if report.unlisted:
        screen.say(f"… and {report.unlisted} more.")
    screen.say(_summary(report, size(report.bytes), is_dry_run=is_dry_run))


def _summary(report: "Report", downloaded: str, *, is_dry_run: bool) -> str:
    if is_dry_run:
        return f"Nothing was written: {report.written} version(s), {downloaded} would be."
    wrong = len(report.differences) + len(report.refused) + report.unlisted
    verdict = f"{wrong} thing(s) differ." if wrong else "Assay says what the source says."
    return (
        f"Imported {report.written} version(s), {downloaded}; {report.known} were there before. "
        f"{verdict}"
    )


def _shared(context: Context) -> tuple[str, ...]:
    """Return the options that later commands need for the same folder and namespace."""
    given = {"--data": context.data, "--as": context.as_user}
    given["--namespace"] = "" if context.namespace == "default" else context.namespace
    return tuple(word for pair in given.items() if pair[1] for word in pair)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[str, int, int, str], None]]:
    """Show how many models are done, and which is under way, where somebody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from assay.mlflow.faults import quoted

    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TextColumn("{task.fields[at]}"), console=Console(stderr=True), transient=True
    ) as bars:
        tasks = {step: bars.add_task(step, visible=False, at="") for step in ("import", "compare")}

        def show(step: str, done: int, total: int, at: str) -> None:
            if step == "write":
                bars.update(tasks["import"], at=f"{escape(quoted(at))}/{done}")
            else:
                bars.update(
                    tasks[step], completed=done, total=total, visible=True, at=escape(quoted(at))
                )

        yield show
