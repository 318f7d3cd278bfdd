"""Commands about approvals: ask, look, remark, bring evidence, and what is left to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.inbox import find, id_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.approval.v1.resources_pb2 import Approval, Comment
    from assay.cli.screen import Screen

approval_app = typer.Typer(help="Ask for approvals, sign them, reject them.")
Id = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its name, or how its id begins.")]
Reason = Annotated[str, typer.Option(help="Why.")]


@command(approval_app, "request")
def request(
    context: Context,
    reference: Annotated[str, typer.Argument(metavar="NAME/N")],
    stage: Annotated[str, typer.Option(help="Stage to be let into.")] = "",
    alias: Annotated[str, typer.Option(help="Alias to be let into.")] = "",
    reason: Reason = "",
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Pass the steps by, to be reviewed later.")
    ] = False,
    code: Annotated[str, typer.Option(help="Code of the reason to break the glass.")] = "",
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
    context.hints["MANIFEST_MISSING"] = context.command("show", of=(reference,))
    context.hints["CONDITION_UNMET"] = context.command("show", of=(reference,))
    context.hints["BAD_REASON_CODE"] = context.command("policy", "list")
    response = context.client.approval.RequestApproval(
        RequestApprovalRequest(
            parent=f"namespaces/{version.namespace}",
            approval=Approval(version=str(version), target=str(target), is_break_glass=break_glass),
            reason=reason,
            reason_code=code,
        )
    )

    def show(screen: "Screen") -> None:
        _show(screen, response.approval)
        sign = context.command("approval", "sign", of=(id_of(response.approval),), as_user="USER")
        screen.say(f"Next: {sign}")

    context.answer(response, show)


@command(approval_app, "show")
def show(context: Context, approval: Id) -> None:
    """Show one approval: seats, conditions, evidence, signatures, remarks."""
    from assay.approval.v1.approval_service_pb2 import GetApprovalRequest, ListCommentsRequest
    from assay.paging import collect

    name = find(context, approval)
    response = context.client.approval.GetApproval(GetApprovalRequest(name=name))

    def told(screen: "Screen") -> None:
        listed = collect(context.client.approval.ListComments, ListCommentsRequest(parent=name))
        _show(screen, response.approval, listed.comments)

    context.answer(response, told)


@command(approval_app, "comment")
def comment(
    context: Context,
    approval: Id,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you have to say.")],
) -> None:
    """Make a remark on an approval."""
    from assay.approval.v1.approval_service_pb2 import CommentApprovalRequest

    response = context.client.approval.CommentApproval(
        CommentApprovalRequest(name=find(context, approval), text=text)
    )
    context.answer(response, lambda screen: screen.say(f"Remarked: {response.comment.text}"))


@command(approval_app, "comments")
def comments(context: Context, approval: Id) -> None:
    """List the remarks on an approval, oldest first."""
    from assay.approval.v1.approval_service_pb2 import ListCommentsRequest
    from assay.paging import collect

    request = ListCommentsRequest(parent=find(context, approval))
    response = collect(context.client.approval.ListComments, request)

    def told(screen: "Screen") -> None:
        from assay.cli.screen import moment

        rows = [[screen.who(c.author), moment(c.create_time), c.text] for c in response.comments]
        screen.table(("author", "made", "text"), rows, "No remarks.")

    context.answer(response, told)


@command(approval_app, "attach")
def attach(
    context: Context,
    approval: Id,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Sort of evidence: bias-report.")],
    claim: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="What it says in short.")
    ] = None,
    artifact: Annotated[
        str, typer.Option(metavar="NAME", help="Manifest that holds it: …/artifacts/sha256-….")
    ] = "",
) -> None:
    """Bring evidence forward for an open approval; conditions read its claims."""
    from assay.approval.v1.approval_service_pb2 import AttachEvidenceRequest
    from assay.approval.v1.resources_pb2 import Evidence
    from assay.cli import pairs

    context.hints["NOT_OPEN"] = context.command("approval", "show", of=(approval,))
    evidence = Evidence(type=type_, artifact=artifact, claims=pairs.texts("claim", claim or []))
    response = context.client.approval.AttachEvidence(
        AttachEvidenceRequest(name=find(context, approval), evidence=evidence)
    )
    context.answer(response, lambda screen: _show(screen, response.approval))


@command(approval_app, "explain")
def explain(context: Context, approval: Id) -> None:
    """Say who still has to do what before an approval is granted."""
    tell_tasks(context, approval)


def tell_tasks(context: Context, approval: str) -> None:
    """Print what is left to do on an approval, and who may do it now."""
    from assay.approval.v1.approval_service_pb2 import ExplainApprovalRequest

    response = context.client.approval.ExplainApproval(
        ExplainApprovalRequest(name=find(context, approval))
    )

    def told(screen: "Screen") -> None:
        from assay.cli.approval_screen import tell_reviews

        rows = [
            [
                task.description,
                "now" if task.is_open else "later",
                ", ".join(screen.who(principal) for principal in task.principals),
            ]
            for task in response.tasks
        ]
        screen.table(("what", "when", "who may"), rows, "Nothing is left to do.")
        tell_reviews(screen, response.approval)

    context.answer(response, told)


def _show(screen: "Screen", approval: "Approval", comments: "Sequence[Comment]" = ()) -> None:
    from assay.cli.approval_screen import show_approval

    show_approval(screen, approval, comments)
