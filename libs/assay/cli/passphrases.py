"""Passphrases: from a file, from ASSAY_PASSPHRASE, or typed by whoever sits there."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

_MAX_BYTES = 4096
PassphraseFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File of the passphrase; else ASSAY_PASSPHRASE, else typed."),
]


def obtain(file: Path | None, login: str, *, is_new: bool = False) -> str:
    """Return the passphrase of a person's key; a new one is typed twice."""
    from assay.errors import FailedPrecondition, Invalid

    if file:
        return _from_file(file)
    given = os.environ.get("ASSAY_PASSPHRASE", "")
    if given:
        return given
    if not sys.stdin.isatty():
        raise FailedPrecondition(
            "Give --passphrase-file or ASSAY_PASSPHRASE where nobody can type.",
            reason="NO_PASSPHRASE",
        )
    typed = getpass.getpass(f"Passphrase of {login}'s key: ")
    if is_new and getpass.getpass("The same again: ") != typed:
        raise Invalid("The two passphrases differ: try again.")
    return typed


def confirm(verb: str) -> None:
    """Ask for a yes where somebody can say it; who gives a passphrase otherwise has said it."""
    if sys.stdin.isatty():
        typer.confirm(f"Do you {verb} this?", abort=True, err=True)


def _from_file(file: Path) -> str:
    from assay.errors import Invalid

    data = file.read_bytes()
    if len(data) > _MAX_BYTES:
        raise Invalid(f"{file} is too long for a passphrase.", reason="TOO_LARGE")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Invalid(f"{file} must be text in UTF-8.", reason="MALFORMED") from None
