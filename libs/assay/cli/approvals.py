"""Commands about approvals: ask, look, sign, reject, revoke."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.inbox import find, id_of, target_of
from assay.cli.passphrases import PassphraseFile

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Approval
    from assay.cli.screen import Screen
    from assay_trust.record import Meaning

approval_app = typer.Typer(help="Ask for approvals, sign them, reject them.")
Id = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its name, or how its id begins.")]
Reason = Annotated[str, typer.Option(help="Why.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you mean it.")]


@command(approval_app, "request")
def request(
    context: Context,
    reference: Annotated[str, typer.Argument(metavar="NAME/N")],
    stage: Annotated[str, typer.Option(help="Stage to be let into.")] = "",
    alias: Annotated[str, typer.Option(help="Alias to be let into.")] = "",
    reason: Reason = "",
) -> None:
    """Ask for a version to be let into a stage or alias."""
    from assay import references
    from assay.approval.v1.approval_service_pb2 import RequestApprovalRequest
    from assay.approval.v1.resources_pb2 import Approval
    from assay.errors import Invalid

    if bool(stage) == bool(alias):
        raise Invalid("Give either --stage or --alias.", reason="REQUIRED")
    version = references.version(reference, context.namespace)
    model = version.parent
    target = references.stage(model, stage) if stage else references.alias(model, alias)
    response = context.client.approval.RequestApproval(
        RequestApprovalRequest(
            parent=f"namespaces/{version.namespace}",
            approval=Approval(version=str(version), target=str(target)),
            reason=reason,
        )
    )

    def show(screen: "Screen") -> None:
        _show(screen, response.approval)
        sign = context.command("approval", "sign", of=(id_of(response.approval),), as_user="USER")
        screen.say(f"Next: {sign}")

    context.answer(response, show)


@command(approval_app, "show")
def show(context: Context, approval: Id) -> None:
    """Show one approval with its signatures."""
    from assay.approval.v1.approval_service_pb2 import GetApprovalRequest

    name = find(context, approval)
    response = context.client.approval.GetApproval(GetApprovalRequest(name=name))
    context.answer(response, lambda screen: _show(screen, response.approval))


@command(approval_app, "sign")
def sign(
    context: Context,
    approval: Id,
    reason: Reason = "",
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Sign an approval; the last signature that is needed grants it."""
    from assay.approval.v1.approval_service_pb2 import SignApprovalResponse
    from assay_trust.record import Meaning

    signed = _sign(context, approval, Meaning.APPROVED, reason, passphrase_file, yes=yes)
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
    reason: Annotated[str, typer.Option(help="Why; must be given.")],
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Reject an open approval with a signature."""
    from assay.approval.v1.approval_service_pb2 import RejectApprovalResponse
    from assay.errors import Invalid
    from assay_trust.record import Meaning

    if not reason.strip():
        raise Invalid("Say why with --reason.", reason="REQUIRED")
    rejected = _sign(context, approval, Meaning.REJECTED, reason, passphrase_file, yes=yes)
    token = context.client.consistency_token
    response = RejectApprovalResponse(approval=rejected, consistency_token=token)
    context.answer(response, lambda screen: _show(screen, rejected))


@command(approval_app, "revoke")
def revoke(
    context: Context,
    approval: Id,
    reason: Annotated[str, typer.Option(help="Why; must be given.")],
) -> None:
    """Take a grant back; the version leaves the stage or alias."""
    from assay.approval.v1.approval_service_pb2 import RevokeApprovalRequest

    context.hints["NOT_GRANTED"] = context.command("approval", "show", of=(approval,))
    name = find(context, approval)
    request = RevokeApprovalRequest(name=name, reason=reason)
    response = context.client.approval.RevokeApproval(request)
    context.answer(response, lambda screen: _show(screen, response.approval))


def _sign(
    context: Context,
    text: str,
    meaning: "Meaning",
    reason: str,
    passphrase_file: Path | None,
    *,
    yes: bool,
) -> "Approval":
    """Show what is to be signed, open the signer's key, and send the signature."""
    from assay import signing
    from assay.cli import passphrases
    from assay.cli.signers import signer_login, signer_public_key
    from assay_trust import keyfiles

    for why in ("ALREADY_SIGNED", "NOT_OPEN", "STALE_RECORD"):
        context.hints[why] = context.command("approval", "show", of=(text,))
    again = context.command("approval", _verb(meaning), of=(text,), as_user="USER")
    context.hints["OWNER_MAY_NOT_SIGN"] = again
    login = signer_login(context)
    path, public_key = signer_public_key(context, login)
    name = find(context, text)
    prepared = signing.prepare(context.client, name, public_key, meaning, reason)
    typer.echo(prepared.text, err=context.as_json)
    if not yes:
        _confirm(meaning)
    passphrase = passphrases.obtain(passphrase_file, login)
    pair = keyfiles.open_(path.read_bytes(), passphrase)
    return signing.sign(context.client, prepared, pair)


def _confirm(meaning: "Meaning") -> None:
    """Ask for a yes where somebody can say it; who gives a passphrase otherwise has said it."""
    import sys

    if sys.stdin.isatty():
        typer.confirm(f"Do you {_verb(meaning)} this?", abort=True, err=True)


def _verb(meaning: "Meaning") -> str:
    return "sign" if meaning == "approved" else "reject"


def _wait_until_moved(context: Context, approval: "Approval") -> str:
    """Wait some seconds for the move that a grant brings about; return what came of it."""
    from assay.approval.v1.resources_pb2 import APPROVAL_STATE_GRANTED
    from assay.cli.grants import wait_until_moved

    if approval.state != APPROVAL_STATE_GRANTED:
        return ""
    with context.screen.waiting("Waiting for the move", quiet=context.as_json):
        has_moved = wait_until_moved(context.client, approval)
    model = approval.version.split("/")[3]
    if has_moved:
        return f"{model} has moved: {target_of(approval)} is {_number(approval)} now."
    return f"It has not moved yet: {context.command('history', of=(model,))}"


def _show(screen: "Screen", approval: "Approval") -> None:
    from assay.approval.v1.resources_pb2 import ApprovalState
    from assay.cli.screen import moment, short_version

    state = ApprovalState.Name(approval.state).removeprefix("APPROVAL_STATE_").lower()
    screen.facts(
        [
            ("approval", approval.name),
            ("state", f"{state}, {len(approval.signatures)} of {approval.quorum} signed"),
            ("version", short_version(approval.version)),
            ("for", target_of(approval)),
            ("manifest", approval.manifest_digest),
            ("policies", ", ".join(policy.name for policy in approval.policies)),
            ("asked", f"{moment(approval.create_time)} by {screen.who(approval.submitter)}"),
            ("reason", approval.reason),
            ("granted", moment(approval.grant_time)),
            ("revoked", moment(approval.revoke_time)),
        ]
    )
    for signature in approval.signatures:
        verb = "approved" if signature.meaning == 1 else "rejected"
        why = f": {signature.reason}" if signature.reason else ""
        name = signature.printed_name or screen.who(signature.signer)
        screen.say(f"  {name} {verb} at {moment(signature.sign_time)}{why}")


def _number(approval: "Approval") -> str:
    return f"version {approval.version.rpartition('/')[2]}"
