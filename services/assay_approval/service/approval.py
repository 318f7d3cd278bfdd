"""All handlers in one object, as grpc wants them."""

from assay_approval.service.approvals import Approvals
from assay_approval.service.endings import Endings
from assay_approval.service.endorsements import Endorsements
from assay_approval.service.explaining import Explaining
from assay_approval.service.grants import Grants
from assay_approval.service.policies import Policies
from assay_approval.service.principals import Principals
from assay_approval.service.roles import Roles
from assay_approval.service.signing import Signatures
from assay_approval.service.simulating import Simulating


class ApprovalService(
    Principals,
    Roles,
    Endorsements,
    Policies,
    Simulating,
    Approvals,
    Explaining,
    Signatures,
    Endings,
    Grants,
):
    """Who may let a version in, and who did: people, roles, policies, approvals."""
