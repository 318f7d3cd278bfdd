"""Commands about policies: who must sign for which stages and aliases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.approval.v1.approval_service_pb2 import PublishPolicyRequest
    from assay.approval.v1.resources_pb2 import Policy, PolicySpec
    from assay.cli.documents import Document
    from assay.cli.screen import Screen

app = typer.Typer(help="Say who must sign for which stages and aliases.")
_FIELDS = ("name", "models", "stages", "aliases", "quorum", "description")
_MAX_QUORUM = 64


@command(app, "apply")
def apply(
    context: Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML; several documents allowed.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Publish the policies of FILE; each governs at once. With --json, one line a policy."""
    from assay.cli.screen import to_json

    requests = requests_of(file, context.namespace, reason)
    responses = [context.client.approval.PublishPolicy(request) for request in requests]
    if not context.as_json:
        _show(context.screen, [response.policy for response in responses])
        return
    for response in responses:
        print(to_json(response, indent=2 if len(responses) == 1 else None))


@command(app, "list")
def list_(context: Context) -> None:
    """List the policies of a namespace."""
    from assay.approval.v1.approval_service_pb2 import ListPoliciesRequest
    from assay.paging import collect

    request = ListPoliciesRequest(parent=f"namespaces/{context.namespace}")
    response = collect(context.client.approval.ListPolicies, request)
    context.answer(response, lambda screen: _show(screen, list(response.policies)))


def requests_of(file: Path, namespace: str, reason: str) -> "list[PublishPolicyRequest]":
    """Return what publishes each policy of a YAML file; nothing is sent if one is wrong."""
    from assay.approval.v1.approval_service_pb2 import PublishPolicyRequest
    from assay.approval.v1.resources_pb2 import Policy
    from assay.cli.documents import read

    return [
        PublishPolicyRequest(
            parent=f"namespaces/{namespace}",
            policy=Policy(spec=_spec(document)),
            policy_id=_id(document),
            reason=reason,
        )
        for document in read(file)
    ]


def _id(document: "Document") -> str:
    from assay.names import MalformedName, slug

    try:
        return slug(document.text("name", required=True))
    except MalformedName as error:
        raise document.wrong(
            "name", "must be 1 to 63 lower-case letters, digits and hyphens"
        ) from error


def _spec(document: "Document") -> "PolicySpec":
    from assay.approval.v1.resources_pb2 import PolicySpec

    document.only(*_FIELDS)
    spec = PolicySpec(
        models=document.texts("models", required=True),
        stages=document.texts("stages"),
        aliases=document.texts("aliases"),
        quorum=_quorum(document),
        description=document.text("description"),
    )
    if not spec.stages and not spec.aliases:
        raise document.wrong("stages", "or aliases must name at least one")
    return spec


def _quorum(document: "Document") -> int:
    quorum = document.whole("quorum")
    if not 1 <= quorum <= _MAX_QUORUM:
        raise document.wrong("quorum", f"must be 1 to {_MAX_QUORUM} people")
    return quorum


def _show(screen: "Screen", policies: "list[Policy]") -> None:
    from assay.cli.screen import last, moment
    from assay.cli.tables import Column

    rows = [
        [
            last(policy.name),
            str(policy.number),
            ", ".join(policy.spec.models),
            ", ".join(policy.spec.stages),
            ", ".join(policy.spec.aliases),
            str(policy.spec.quorum),
            moment(policy.create_time),
        ]
        for policy in policies
    ]
    columns = (
        Column("POLICY"),
        Column("VERSION", goes=2),
        Column("MODELS", goes=6, least=12),
        Column("STAGES", goes=5, least=12),
        Column("ALIASES", goes=4, least=12),
        Column("QUORUM", goes=3),
        Column("PUBLISHED", goes=1),
    )
    screen.table(columns, rows, "No policies: nothing is governed.")
