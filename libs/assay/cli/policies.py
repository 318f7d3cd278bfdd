"""Commands about policies: who must sign for which stages and aliases, and what must be true."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.approvals import Id, tell_tasks
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Policy, PolicySpec
    from assay.cli.screen import Screen

app = typer.Typer(help="Say who must sign for which stages and aliases, and what must be true.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="YAML; several documents allowed.")]
_SIMULATE_SECONDS = 600  # a million decisions on a busy machine
PolicyId = Annotated[str, typer.Argument(metavar="POLICY", help="Its name.")]


@command(app, "apply")
def apply(
    context: Context,
    file: File,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Publish the policies of FILE: the first of all governs at once, others once endorsed.

    With --json, one line a policy.
    """
    from assay.cli.policy_files import requests_of
    from assay.cli.screen import to_json

    requests = requests_of(file, context.namespace, reason)
    responses = [context.client.approval.PublishPolicy(request) for request in requests]
    if context.as_json:
        for response in responses:
            print(to_json(response, indent=2 if len(responses) == 1 else None))
        return
    policies = [response.policy for response in responses]
    _show_all(context.screen, policies)
    for policy in policies:
        if policy.proposed_number:
            name = f"{policy.name}/versions/{policy.proposed_number}"
            endorse = context.command("proposal", "endorse", of=(name,), as_user="ANOTHER")
            context.screen.say(f"Next: {endorse}")


@command(app, "list")
def list_(context: Context) -> None:
    """List the policies of a namespace."""
    from assay.approval.v1.approval_service_pb2 import ListPoliciesRequest
    from assay.paging import collect

    request = ListPoliciesRequest(parent=f"namespaces/{context.namespace}")
    response = collect(context.client.approval.ListPolicies, request)
    context.answer(response, lambda screen: _show_all(screen, list(response.policies)))


@command(app, "show")
def show(context: Context, policy: PolicyId) -> None:
    """Show a policy in full, and the version that waits for an endorsement."""
    from assay.approval.v1.approval_service_pb2 import GetPolicyRequest

    context.hints["NOT_FOUND"] = context.command("policy", "list")
    request = GetPolicyRequest(name=_name(context, policy))
    response = context.client.approval.GetPolicy(request)
    context.answer(response, lambda screen: _show(context, screen, response.policy))


@command(app, "diff")
def diff(context: Context, file: File) -> None:
    """Tell what FILE would change in the policies in force; writes nothing."""
    import json

    from assay.cli.policy_files import requests_of
    from assay.cli.policy_forms import current, differences

    told: dict[str, list[list[str]]] = {}
    for request in requests_of(file, context.namespace, ""):
        was = current(context, f"{request.parent}/policies/{request.policy_id}")
        told[request.policy_id] = differences(was.spec, request.policy.spec)
    if context.as_json:
        print(json.dumps({"policies": {k: _changes(v) for k, v in told.items()}}, indent=2))
        return
    rows = [[policy, *row] for policy, changed in told.items() for row in changed]
    context.screen.table(("policy", "field", "in force", "file"), rows, "Nothing would change.")


@command(app, "simulate")
def simulate(context: Context, file: File) -> None:
    """Replay past approvals under the policies of FILE; lists what would flip, writes nothing."""
    from assay.approval.v1.approval_service_pb2 import SimulatePolicyRequest
    from assay.cli.policy_files import requests_of
    from assay.cli.screen import to_json

    requests = requests_of(file, context.namespace, "")
    for request in requests:
        response = context.client.approval.SimulatePolicy(
            SimulatePolicyRequest(
                parent=request.parent, policy_id=request.policy_id, spec=request.policy.spec
            ),
            timeout=_SIMULATE_SECONDS,
        )
        if context.as_json:
            print(to_json(response, indent=2 if len(requests) == 1 else None))
            continue
        count, flipped = response.approval_count, response.flip_count
        rows = [
            [flip.approval, _state(flip.state), _state(flip.simulated_state), flip.detail]
            for flip in response.flips
        ]
        context.screen.say(f"{request.policy_id}: {flipped} of {count} approval(s) would flip.")
        if rows:
            context.screen.table(("approval", "was", "would be", "why"), rows, "")


@command(app, "explain")
def explain(context: Context, approval: Id) -> None:
    """Say who still has to do what before an approval is granted."""
    tell_tasks(context, approval)


def _name(context: Context, policy: str) -> str:
    if policy.startswith("namespaces/"):
        return policy
    return f"namespaces/{context.namespace}/policies/{policy}"


def _state(number: int) -> str:
    from assay.approval.v1.resources_pb2 import ApprovalState

    name = ApprovalState.Name(ApprovalState.ValueType(number))
    return name.removeprefix("APPROVAL_STATE_").lower()


def _changes(rows: list[list[str]]) -> list[dict[str, str]]:
    return [{"field": field, "before": was, "after": now} for field, was, now in rows]


def _show(context: Context, screen: "Screen", policy: "Policy") -> None:
    from assay.cli.policy_forms import differences, facts
    from assay.cli.screen import moment

    screen.facts(
        [
            ("policy", policy.name),
            ("version", str(policy.number) if policy.number else "none in force"),
            ("published", moment(policy.create_time)),
            ("proposed by", screen.who(policy.proposer) if policy.proposer else ""),
            ("endorsed by", screen.who(policy.endorser) if policy.endorser else ""),
            *facts(policy.spec),
        ]
    )
    if policy.proposed_number:
        screen.say(f"Version {policy.proposed_number} waits for an endorsement:")
        changes = differences(policy.spec, policy.proposed_spec)
        screen.table(("field", "in force", "proposed"), changes, "It says the same.")
        name = f"{policy.name}/versions/{policy.proposed_number}"
        endorse = context.command("proposal", "endorse", of=(name,), as_user="ANOTHER")
        screen.say(f"Next: {endorse}")


def _show_all(screen: "Screen", policies: "list[Policy]") -> None:
    from assay.cli.screen import last, moment
    from assay.cli.tables import Column

    rows = [
        [
            last(policy.name),
            str(policy.number) if policy.number else "proposed",
            ", ".join(_said(policy).models),
            ", ".join(_said(policy).stages),
            ", ".join(_said(policy).aliases),
            _who(policy),
            str(len(_said(policy).conditions)),
            moment(policy.create_time),
        ]
        for policy in policies
    ]
    columns = (
        Column("POLICY"),
        Column("VERSION", goes=2),
        Column("MODELS", goes=7, least=12),
        Column("STAGES", goes=6, least=12),
        Column("ALIASES", goes=5, least=12),
        Column("WHO SIGNS", goes=3, least=12),
        Column("CONDITIONS", goes=4),
        Column("PUBLISHED", goes=1),
    )
    screen.table(columns, rows, "No policies: nothing is governed.")


def _said(policy: "Policy") -> "PolicySpec":
    return policy.spec if policy.number else policy.proposed_spec


def _who(policy: "Policy") -> str:
    spec = _said(policy)
    if not spec.steps:
        return f"{spec.quorum} of any role"
    seats = ("+".join(f"{s.count} {s.role or 'any'}" for s in step.seats) for step in spec.steps)
    return ", then ".join(seats)
