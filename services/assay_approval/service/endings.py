"""How approvals end: withdrawn, suspended and resumed, revoked."""

from assay.approval.v1 import approval_service_pb2 as api
from assay.names import ApprovalName
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Resume, Revoke, Suspend, Withdraw
from assay_approval.domain.roles import may_end
from assay_approval.service.parts import caller
from assay_approval.service.showing import Showing
from assay_serve.call import Context, actor, intent


class Endings(Showing):
    """The rpcs that end an approval, or hold it up."""

    async def WithdrawApproval(
        self, request: api.WithdrawApprovalRequest, context: Context
    ) -> api.WithdrawApprovalResponse:
        """Take an open approval back."""
        name, circumstances = str(ApprovalName.parse(request.name)), intent(request, context)
        command = Withdraw(name, caller(context), circumstances.reason or PersonalText())
        return api.WithdrawApprovalResponse(**await self._changed(name, command, circumstances))

    async def RevokeApproval(
        self, request: api.RevokeApprovalRequest, context: Context
    ) -> api.RevokeApprovalResponse:
        """Take a grant back."""
        name, circumstances = str(ApprovalName.parse(request.name)), intent(request, context)
        command = Revoke(
            name,
            actor(context).kind,
            circumstances.reason or PersonalText(),
            request.code,
            may_end=await self._may_end(name, context),
        )
        return api.RevokeApprovalResponse(**await self._changed(name, command, circumstances))

    async def SuspendApproval(
        self, request: api.SuspendApprovalRequest, context: Context
    ) -> api.SuspendApprovalResponse:
        """Put a grant out of force."""
        name, circumstances = str(ApprovalName.parse(request.name)), intent(request, context)
        command = Suspend(
            name,
            actor(context).kind,
            circumstances.reason or PersonalText(),
            request.code,
            may_end=await self._may_end(name, context),
        )
        return api.SuspendApprovalResponse(**await self._changed(name, command, circumstances))

    async def ResumeApproval(
        self, request: api.ResumeApprovalRequest, context: Context
    ) -> api.ResumeApprovalResponse:
        """Put a suspended grant in force again."""
        name, circumstances = str(ApprovalName.parse(request.name)), intent(request, context)
        command = Resume(
            name,
            actor(context).kind,
            circumstances.reason or PersonalText(),
            await self._now(),
            may_end=await self._may_end(name, context),
        )
        return api.ResumeApprovalResponse(**await self._changed(name, command, circumstances))

    async def _may_end(self, name: str, context: Context) -> bool:
        """Return whether the caller is an approver or policy-admin of the target, or the owner."""
        who = caller(context)
        if who == self._owner:
            return True
        target = (await self._commands.fold(APPROVAL, name)).state.request.target
        return may_end(await self._roles_of(who), target)
