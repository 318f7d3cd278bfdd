"""Commands that sign: approve a step, reject, review a break-glass grant."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.approvals import Id, approval_app
from assay.cli.command import Context, command
from assay.cli.inbox import find, target_of
from assay.cli.passphrases import PassphraseFile

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Approval
    from assay.cli.screen import Screen
    from assay.signing import Terms
    from assay_trust.record import Meaning

Why = Annotated[str, typer.Option("--reason", help="Why; must be given.")]
Code = Annotated[str, typer.Option(help="Code of the reason, one of the policy's.")]
Role = Annotated[str, typer.Option(help="Approver role to sign in; the one that fits.")]
Delegator = Annotated[
    str, typer.Option("--for", metavar="USER", help="Who lent you the role that you sign in.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you mean it.")]
_VERBS = {"approved": "sign", "rejected": "reject", "reviewed": "review"}


@dataclass(frozen=True, slots=True)
class Pen:
    """How somebody signs: where the passphrase comes from, and whether to ask first."""

    passphrase_file: Path | None
    yes: bool


@command(approval_app, "sign")
def sign(
    context: Context,
    approval: Id,
    *,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    code: Code = "",
    step: Annotated[str, typer.Option(help="Step to sign; the one that is open.")] = "",
    role: Role = "",
    delegator: Delegator = "",
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Sign a step of an approval; the last signature that is needed grants it."""
    from assay.approval.v1.approval_service_pb2 import SignApprovalResponse
    from assay_trust.record import Meaning

    terms = _terms(context, step, role, delegator, code)
    pen = Pen(passphrase_file, yes)
    signed = _sign(context, approval, Meaning.APPROVED, reason, terms, pen)
    moved = _wait_until_moved(context, signed)
    token = context.client.consistency_token
    response = SignApprovalResponse(approval=signed, consistency_token=token)

    def show(screen: "Screen") -> None:
        _show(screen, signed)
        if moved:
            screen.say(moved)

    context.answer(response, show)


@command(approval_app, "reject")
def reject(
    context: Context,
    approval: Id,
    *,
    reason: Why,
    code: Code = "",
    role: Role = "",
    delegator: Delegator = "",
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Reject an open approval with a signature."""
    from assay.approval.v1.approval_service_pb2 import RejectApprovalResponse
    from assay_trust.record import Meaning

    _say_why(reason)
    terms = _terms(context, "", role, delegator, code)
    pen = Pen(passphrase_file, yes)
    rejected = _sign(context, approval, Meaning.REJECTED, reason, terms, pen)
    token = context.client.consistency_token
    response = RejectApprovalResponse(approval=rejected, consistency_token=token)
    context.answer(response, lambda screen: _show(screen, rejected))


@command(approval_app, "review")
def review(
    context: Context,
    approval: Id,
    *,
    reason: Why,
    code: Code = "",
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Sign that you have looked at a break-glass grant afterwards."""
    from assay.approval.v1.approval_service_pb2 import ReviewBreakGlassResponse
    from assay_trust.record import Meaning

    _say_why(reason)
    terms = _terms(context, "", "", "", code)
    pen = Pen(passphrase_file, yes)
    reviewed = _sign(context, approval, Meaning.REVIEWED, reason, terms, pen)
    token = context.client.consistency_token
    response = ReviewBreakGlassResponse(approval=reviewed, consistency_token=token)
    context.answer(response, lambda screen: _show(screen, reviewed))


def _terms(context: Context, step: str, role: str, delegator: str, code: str) -> "Terms":
    from assay.cli.people import principal_of
    from assay.signing import Terms

    lender = principal_of(context, delegator) if delegator else ""
    return Terms(step, role.removeprefix("approver:"), lender, code)


def _say_why(reason: str) -> None:
    from assay.errors import Invalid

    if not reason.strip():
        raise Invalid("Say why with --reason.", reason="REQUIRED")


def _sign(
    context: Context, text: str, meaning: "Meaning", reason: str, terms: "Terms", pen: Pen
) -> "Approval":
    """Show what is to be signed, open the signer's key, and send the signature."""
    from assay import signing
    from assay.cli import passphrases
    from assay.cli.signers import signer_login, signer_public_key
    from assay_trust import keyfiles

    verb = _VERBS[meaning]
    _hint(context, text, verb)
    login = signer_login(context)
    path, public_key = signer_public_key(context, login)
    name = find(context, text)
    prepared = signing.prepare(context.client, name, public_key, meaning, reason, terms)
    typer.echo(prepared.text, err=context.as_json)
    if not pen.yes:
        passphrases.confirm(verb)
    passphrase = passphrases.obtain(pen.passphrase_file, login)
    pair = keyfiles.open_(path.read_bytes(), passphrase)
    return signing.sign(context.client, prepared, pair)


def _hint(context: Context, text: str, verb: str) -> None:
    """Name what to do after each refusal of a signature."""
    for why in ("ALREADY_SIGNED", "NOT_OPEN", "STALE_RECORD", "BAD_REASON_CODE", "EXPIRED"):
        context.hints[why] = context.command("approval", "show", of=(text,))
    for why in ("ROLE_REQUIRED", "NOT_INDEPENDENT", "STEP_NOT_OPEN", "CONDITION_UNMET"):
        context.hints[why] = context.command("approval", "explain", of=(text,))
    again = context.command("approval", verb, of=(text,), as_user="USER")
    context.hints["OWNER_MAY_NOT_SIGN"] = again


def _wait_until_moved(context: Context, approval: "Approval") -> str:
    """Wait some seconds for the move that a grant brings about; return what came of it."""
    from assay.approval.v1.resources_pb2 import APPROVAL_STATE_GRANTED
    from assay.cli.grants import wait_until_moved

    if approval.state != APPROVAL_STATE_GRANTED:
        return ""
    with context.screen.waiting("Waiting for the move", quiet=context.as_json):
        has_moved = wait_until_moved(context.client, approval)
    model, number = approval.version.split("/")[3], approval.version.rpartition("/")[2]
    if has_moved:
        return f"{model} has moved: {target_of(approval)} is version {number} now."
    return f"It has not moved yet: {context.command('history', of=(model,))}"


def _show(screen: "Screen", approval: "Approval") -> None:
    from assay.cli.approval_screen import show_approval

    show_approval(screen, approval)
