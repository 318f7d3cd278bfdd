"""Failures as people and scripts read them: one sentence, then the next command to try."""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from assay.cli.command import Context
from assay.cli.visible import one_line, visible_json
from assay.errors import AssayError, FailedPrecondition, Internal, Invalid
from assay.names import MalformedName
from assay_trust.errors import TrustError

_INTERRUPTED = 130
_OF_THE_COMMAND_LINE = ("INVALID_ARGUMENT", "FAILED_PRECONDITION")


@contextmanager
def explained(context: Context) -> Iterator[None]:
    """Print what goes wrong inside, and end with status 1."""
    try:
        yield
        context.close()
    except (typer.Exit, typer.Abort, SystemExit):
        with suppress(Exception):
            context.close()
        raise
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    except BrokenPipeError:
        # The reader, such as `head`, has enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except Exception as error:  # noqa: BLE001 - the edge: nobody above could explain it
        _print(_refusal(error, context), context)
        with suppress(Exception):
            context.close()
        raise typer.Exit(1) from None


def _refusal(error: Exception, context: Context) -> AssayError:
    """Return what went wrong as a refusal; keep the details of what nobody foresaw."""
    match error:
        case AssayError():
            from assay.cli import silences

            return silences.explained(error, context.folder)
        case MalformedName():
            return Invalid(str(error), reason="MALFORMED")
        case UnicodeEncodeError():
            return Invalid("Write names and texts in UTF-8.", reason="MALFORMED")
        case TrustError():
            return FailedPrecondition(str(error), reason=_upper_snake(type(error).__name__))
        case OSError(filename=str(name), strerror=str(why)):
            return FailedPrecondition(f"{name}: {why}.", reason="FILE", metadata={"path": name})
        case _:
            return _unforeseen(error)


def _unforeseen(error: Exception) -> AssayError:
    with tempfile.NamedTemporaryFile(
        "w", prefix="assay-failure-", suffix=".txt", delete=False
    ) as file:
        traceback.print_exception(error, file=file)
    return Internal(
        f"Something unforeseen went wrong ({type(error).__name__}); {file.name} has the details.",
        reason="INTERNAL",
        metadata={"details": file.name},
    )


def _print(error: AssayError, context: Context) -> None:
    hint = _hint(error, context)
    if context.as_json:
        body = {
            "code": error.code,
            "reason": error.reason,
            "message": error.message,
            "metadata": error.metadata,
        }
        extra = {"fields": error.fields, "next": hint}
        answer = {"error": {**body, **{key: value for key, value in extra.items() if value}}}
        print(visible_json(json.dumps(answer, indent=2, ensure_ascii=False)))
        return
    print(f"Error: {one_line(error.message)}", file=sys.stderr)
    for field, wrong in error.fields.items():
        if wrong not in error.message:
            print(f"  {one_line(field)}: {one_line(wrong)}", file=sys.stderr)
    if hint:
        print(f"Next: {one_line(hint)}", file=sys.stderr)


def _hint(error: AssayError, context: Context) -> str:
    """Return the next command to try, empty where there is none to name."""
    for key in (error.reason, error.code):
        if key in context.hints:
            return context.hints[key]
    usual = {
        "NOT_STARTED": ("up",),
        "UNAVAILABLE": ("status",),
        "DEADLINE": ("status",),
        "UNAUTHENTICATED": ("login", "--as", error.metadata.get("login", "USER")),
        "KEY_NOT_ENROLLED": ("key", "enrol", "--as", context.as_user or "USER"),
        "OWNER_MAY_NOT_SIGN": ("key", "enrol", "--as", "USER"),
        "SELF_APPROVAL": ("inbox", "--as", "ANOTHER"),
        "APPROVAL_REQUIRED": ("approval", "request", "NAME/N", "--stage", "STAGE"),
        "NOT_GOVERNED": ("policy", "list"),
        "BAD_POLICY": ("policy", "diff", "FILE"),
        "RIGHT_REQUIRED": ("role", "list"),
        "ROLE_REQUIRED": ("role", "list"),
        "EXCLUSIVE_ROLES": ("role", "list"),
        "NOT_DELEGABLE": ("role", "list"),
        "SELF_ENDORSEMENT": ("proposal", "list", "--as", "ANOTHER"),
        "NOT_PROPOSED": ("proposal", "list"),
        "NOT_INDEPENDENT": ("inbox", "--as", "ANOTHER"),
        "STEP_NOT_OPEN": ("inbox",),
        "NOT_OPEN": ("inbox",),
        "EXPIRED": ("inbox",),
        "STREAM_CORRUPT": ("check",),
        "NOT_ALLOWED": ("login", "--as", "USER"),
        "HUMAN_REQUIRED": ("login", "--as", "USER"),
        "INTERNAL": ("status",),
        "RESOURCE_EXHAUSTED": ("status",),
        "BAD_MOMENT": ("audit", "log", "--newest", "--limit", "1"),
    }
    words = usual.get(error.reason, ()) or usual.get(error.code, ())
    if words:
        return context.command(*words)
    return f"{context.path} --help" if error.code in _OF_THE_COMMAND_LINE else ""


def _upper_snake(name: str) -> str:
    """Return `UnusableKeyFile` as UNUSABLE_KEY_FILE."""
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in name).lstrip("_")
