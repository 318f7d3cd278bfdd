"""The approvals that wait for a signature, and the one that somebody means."""

from typing import TYPE_CHECKING

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Approval
    from assay.cli.screen import Screen

app = typer.Typer()


@command(app, "inbox")
def inbox(context: Context) -> None:
    """List the open approvals that you may still sign."""
    from assay.approval.v1.approval_service_pb2 import ListApprovalsRequest
    from assay.paging import collect

    client = context.client
    request = ListApprovalsRequest(
        parent=f"namespaces/{context.namespace}", filter=f'waiting_for = "{client.principal}"'
    )
    response = collect(client.approval.ListApprovals, request)

    def show(screen: "Screen") -> None:
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
            for a in response.approvals
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

    context.answer(response, show)


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
