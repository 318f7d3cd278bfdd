"""All handlers in one object, as grpc wants them."""

from assay_approval.service.approvals import Approvals
from assay_approval.service.grants import Grants
from assay_approval.service.policies import Policies
from assay_approval.service.principals import Principals
from assay_approval.service.signing import Signatures


class ApprovalService(Principals, Policies, Approvals, Signatures, Grants):
    """Who may let a version in, and who did: principals, keys, policies, approvals."""
