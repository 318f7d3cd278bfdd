"""Commands that end an approval, or hold it up: withdraw, suspend, resume, revoke."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.approvals import Id, approval_app
from assay.cli.command import Context, command
from assay.cli.inbox import find

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Approval

Reason = Annotated[str, typer.Option(help="Why; must be given.")]
Code = Annotated[str, typer.Option(help="Code of the cause, one of the policy's.")]


@command(approval_app, "withdraw")
def withdraw(context: Context, approval: Id, reason: Reason) -> None:
    """Take back an approval that you asked for, while it is open."""
    from assay.approval.v1.approval_service_pb2 import WithdrawApprovalRequest

    request = WithdrawApprovalRequest(name=_find(context, approval), reason=reason)
    response = context.client.approval.WithdrawApproval(request)
    context.answer(response, lambda _: _show(context, response.approval))


@command(approval_app, "suspend")
def suspend(context: Context, approval: Id, reason: Reason, code: Code = "") -> None:
    """Put a grant out of force until it is resumed or revoked; the version leaves."""
    from assay.approval.v1.approval_service_pb2 import SuspendApprovalRequest

    request = SuspendApprovalRequest(name=_find(context, approval), reason=reason, code=code)
    response = context.client.approval.SuspendApproval(request)
    context.answer(response, lambda _: _show(context, response.approval))


@command(approval_app, "resume")
def resume(context: Context, approval: Id, reason: Reason) -> None:
    """Put a suspended grant in force again."""
    from assay.approval.v1.approval_service_pb2 import ResumeApprovalRequest

    request = ResumeApprovalRequest(name=_find(context, approval), reason=reason)
    response = context.client.approval.ResumeApproval(request)
    context.answer(response, lambda _: _show(context, response.approval))


@command(approval_app, "revoke")
def revoke(context: Context, approval: Id, reason: Reason, code: Code = "") -> None:
    """Take a grant back; the version leaves the stage or alias."""
    from assay.approval.v1.approval_service_pb2 import RevokeApprovalRequest

    request = RevokeApprovalRequest(name=_find(context, approval), reason=reason, code=code)
    response = context.client.approval.RevokeApproval(request)
    context.answer(response, lambda _: _show(context, response.approval))


def _find(context: Context, text: str) -> str:
    """Return the name of the approval; what refuses it names the command that shows it."""
    for why in ("NOT_GRANTED", "NOT_OPEN", "NOT_ALLOWED", "BAD_REASON_CODE"):
        context.hints[why] = context.command("approval", "show", of=(text,))
    return find(context, text)


def _show(context: Context, approval: "Approval") -> None:
    from assay.cli.approval_screen import show_approval

    show_approval(context.screen, approval)
