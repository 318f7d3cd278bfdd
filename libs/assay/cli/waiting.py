"""What waits for somebody: signatures, endorsements, reviews and renewals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from assay.approval.v1.approval_service_pb2 import (
    ListApprovalsRequest,
    ListProposalsRequest,
    ListRolesRequest,
    Proposal,
)
from assay.approval.v1.resources_pb2 import Approval, Role
from assay.cli.screen import to_dict
from assay.client import Client
from assay.paging import collect

_ENDORSING = ("policy-admin", "admin")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one person, in the order in which it is shown."""

    approvals: Sequence[Approval]
    proposals: Sequence[Proposal]
    reviews: Sequence[Approval]
    renewals: Sequence[Approval]

    def to_dict(self) -> dict[str, object]:
        """Return all of it as proto JSON."""
        return {
            "approvals": [to_dict(each) for each in self.approvals],
            "proposals": [to_dict(each) for each in self.proposals],
            "reviews": [to_dict(each) for each in self.reviews],
            "renewals": [to_dict(each) for each in self.renewals],
        }


def waiting_for(client: Client, namespace: str) -> Waiting:
    """Return what waits for the caller; of proposals whatever is open, wherever it holds."""
    me = client.principal
    asked = _approvals(client, namespace, f'submitter = "{me}" AND state = "GRANTED"')
    return Waiting(
        approvals=_approvals(client, namespace, f'waiting_for = "{me}"'),
        proposals=_proposals(client, me),
        reviews=_approvals(client, namespace, f'review_waiting_for = "{me}"'),
        renewals=[approval for approval in asked if _is_to_renew(approval)],
    )


def _approvals(client: Client, namespace: str, text: str) -> Sequence[Approval]:
    request = ListApprovalsRequest(parent=f"namespaces/{namespace}", filter=text)
    return collect(client.approval.ListApprovals, request).approvals


def _proposals(client: Client, me: str) -> Sequence[Proposal]:
    """Return the proposals that the caller may endorse: others' that are not about the caller."""
    roles = collect(client.approval.ListRoles, ListRolesRequest(parent=me)).roles
    if not any(_lets_endorse(role) for role in roles):
        return ()
    listed = collect(client.approval.ListProposals, ListProposalsRequest()).proposals
    return [p for p in listed if p.proposer != me and not p.name.startswith(f"{me}/")]


def _lets_endorse(role: Role) -> bool:
    does = role.role in _ENDORSING or role.role.startswith("approver:")
    return does and not role.delegator


def _is_to_renew(approval: Approval) -> bool:
    if not approval.HasField("recertify_time"):
        return False
    return approval.recertify_time.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)
