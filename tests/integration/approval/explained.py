"""What is left to do on an approval, as a caller is told."""

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Approval
from tests.integration.approval.caller import Caller
from tests.integration.approval.refusals import fresh


def explain(caller: Caller, approval: Approval) -> api.ExplainApprovalResponse:
    request = api.ExplainApprovalRequest(name=approval.name, at_least_as_fresh=fresh(approval))
    return caller.court.stub.ExplainApproval(request, metadata=caller.metadata)
