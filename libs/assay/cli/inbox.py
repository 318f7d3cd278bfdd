"""What waits for somebody, and the approval that somebody means."""

import json
from typing import TYPE_CHECKING

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from assay.approval.v1.approval_service_pb2 import Proposal
    from assay.approval.v1.resources_pb2 import Approval
    from assay.cli.screen import Screen

app = typer.Typer()


@command(app, "inbox")
def inbox(context: Context) -> None:
    """List what waits for you: signatures, endorsements, reviews and renewals."""
    from assay.cli.waiting import waiting_for

    waiting = waiting_for(context.client, context.namespace)
    if context.as_json:
        from assay.cli.visible import visible_json

        typer.echo(visible_json(json.dumps(waiting.to_dict(), indent=2, ensure_ascii=False)))
        return
    _show_approvals(context.screen, waiting.approvals)
    _show_proposals(context.screen, waiting.proposals)
    due = [(a, a.review_due_time) for a in waiting.reviews]
    _show_due(context.screen, "Break-glass grants to review:", "REVIEW BY", due)
    ending = [(a, a.expire_time) for a in waiting.renewals]
    _show_due(context.screen, "Grants to renew:", "ENDS", ending)


def _show_approvals(screen: "Screen", approvals: "Sequence[Approval]") -> None:
    from assay.cli.screen import moment, short_version
    from assay.cli.tables import Column

    rows = [
        [
            id_of(a),
            short_version(a.version),
            target_of(a),
            f"{len(a.signatures)} of {a.quorum}",
            screen.who(a.submitter),
            moment(a.create_time),
            a.reason,
        ]
        for a in approvals
    ]
    columns = (
        Column("APPROVAL"),
        Column("VERSION"),
        Column("FOR", goes=5),
        Column("SIGNED", goes=4),
        Column("ASKED BY", goes=3),
        Column("ASKED", goes=2),
        Column("REASON", goes=1, least=12),
    )
    screen.table(columns, rows, "Nothing waits for your signature.")


def _show_proposals(screen: "Screen", proposals: "Sequence[Proposal]") -> None:
    from assay.cli.screen import moment

    if not proposals:
        return
    screen.say()
    screen.say("Proposals to endorse:")
    rows = [
        [p.name, p.description, screen.who(p.proposer), moment(p.create_time)] for p in proposals
    ]
    screen.table(("proposal", "what it does", "proposed by", "proposed"), rows, "")


def _show_due(
    screen: "Screen", title: str, when: str, due: "Sequence[tuple[Approval, Timestamp]]"
) -> None:
    from assay.cli.screen import moment, short_version

    if not due:
        return
    screen.say()
    screen.say(title)
    rows = [[id_of(a), short_version(a.version), target_of(a), moment(time)] for a, time in due]
    screen.table(("approval", "version", "for", when), rows, "")


def find(context: Context, text: str) -> str:
    """Return the name of the approval that `text` names or begins."""
    from assay.approval.v1.approval_service_pb2 import ListApprovalsRequest
    from assay.errors import Invalid, NotFound
    from assay.names import ApprovalName, MalformedName
    from assay.paging import collect

    parent = f"namespaces/{context.namespace}"
    try:
        whole = text if text.startswith("namespaces/") else f"{parent}/approvals/{text}"
        return str(ApprovalName.parse(whole))
    except MalformedName:
        if text.startswith("namespaces/") or not text:
            raise
    context.hints["NOT_FOUND"] = context.command("inbox")
    response = collect(context.client.approval.ListApprovals, ListApprovalsRequest(parent=parent))
    fitting = [a.name for a in response.approvals if id_of(a).startswith(text)]
    if len(fitting) > 1:
        raise Invalid(f"{len(fitting)} approvals begin with {text!r}: write more of the id.")
    if not fitting:
        raise NotFound(f"No approval begins with {text!r}.", metadata={"approval": text})
    return fitting[0]


def id_of(approval: "Approval") -> str:
    """Return the id of an approval."""
    return approval.name.rpartition("/")[2]


def target_of(approval: "Approval") -> str:
    """Return the stage or alias that an approval is for, in words."""
    kind, name = approval.target.split("/")[4:]
    return f"{kind.removesuffix('es') if kind == 'aliases' else kind.removesuffix('s')} {name}"
