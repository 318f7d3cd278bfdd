"""Signatures: prepared, and added."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Meaning
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import ApprovalName, KeyName
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Reject, Review, Sign
from assay_approval.domain.counting import Approval
from assay_approval.domain.signature import check_fits, check_may_sign, so_far
from assay_approval.domain.signing import (
    Signer,
    Signing,
    check_reason,
    check_reason_code,
    check_signer,
    enrolled_key,
)
from assay_approval.service.people import Roster
from assay_approval.service.showing import Showing
from assay_approval.verdict import Act
from assay_events.commands import Intent
from assay_events.decider import Invalid
from assay_serve.call import Context, intent, personal_text
from assay_trust import record
from assay_trust.display import display_text

_MEANINGS = {
    Meaning.MEANING_APPROVED: record.Meaning.APPROVED,
    Meaning.MEANING_REJECTED: record.Meaning.REJECTED,
    Meaning.MEANING_REVIEWED: record.Meaning.REVIEWED,
}
_Request: TypeAlias = (
    api.SignApprovalRequest | api.RejectApprovalRequest | api.ReviewBreakGlassRequest
)


class Signatures(Showing):
    """The rpcs by which people decide about an approval."""

    async def PrepareSignature(
        self, request: api.PrepareSignatureRequest, context: Context
    ) -> api.PrepareSignatureResponse:
        """Return what the caller would sign; refuse where the rules would refuse the signature."""
        if request.meaning not in _MEANINGS:
            words = "Sign that you approve, reject or have reviewed it."
            raise Invalid(Reason.REASON_MALFORMED, words, field="meaning")
        name = str(ApprovalName.parse(request.name))
        signer = await self._signer(context)
        check_signer(signer)
        state = (await self._commands.fold(APPROVAL, name)).state
        roster = await self._roster()
        act = self._act(request, state, signer, roster)
        reason = personal_text(request.reason) or PersonalText()
        if request.meaning != Meaning.MEANING_APPROVED:
            check_reason(reason)
            check_reason_code(request.reason_code, state.request.specs, field="reason_code")
        enrolled_key(signer, request.key)
        printed_name = personal_text(signer.printed_name) or PersonalText()
        prepared = self._record(state, request, act, reason, printed_name)
        return api.PrepareSignatureResponse(
            record=prepared.to_bytes(),
            display_text=display_text(prepared),
            reason=reason,
            printed_name=printed_name,
        )

    async def SignApproval(
        self, request: api.SignApprovalRequest, context: Context
    ) -> api.SignApprovalResponse:
        """Add one signature; grant the approval when it completes the last step."""
        name, circumstances = _asked(request, context)
        signing, roster = await self._signing(request, context, circumstances)
        command = Sign(name, signing, roster)
        return api.SignApprovalResponse(**await self._changed(name, command, circumstances))

    async def RejectApproval(
        self, request: api.RejectApprovalRequest, context: Context
    ) -> api.RejectApprovalResponse:
        """Add a signature against it."""
        name, circumstances = _asked(request, context)
        signing, roster = await self._signing(request, context, circumstances)
        command = Reject(name, signing, roster)
        return api.RejectApprovalResponse(**await self._changed(name, command, circumstances))

    async def ReviewBreakGlass(
        self, request: api.ReviewBreakGlassRequest, context: Context
    ) -> api.ReviewBreakGlassResponse:
        """Add the signature of a review."""
        name, circumstances = _asked(request, context)
        signing, roster = await self._signing(request, context, circumstances)
        command = Review(name, signing, roster)
        return api.ReviewBreakGlassResponse(**await self._changed(name, command, circumstances))

    def _act(
        self,
        request: api.PrepareSignatureRequest,
        state: Approval,
        signer: Signer,
        roster: Roster,
    ) -> Act:
        """Return the signature that would be made, in the first role and step that fit."""
        if request.meaning == Meaning.MEANING_REVIEWED:
            roles = roster.roles(signer.name, request.role, state.request.target)
            role = roles[0].role.partition(":")[2] if roles else request.role
            return Act(signer.name, request.step, role, request.delegator, is_approval=False)
        check_may_sign(request.name, signer.name, state, roster.at)
        counting = so_far(state, roster)
        acts = [
            Act(
                signer.name,
                request.step or step.id,
                role,
                request.delegator,
                is_approval=request.meaning == Meaning.MEANING_APPROVED,
            )
            for _, step in counting.open_steps()
            for role in _roles(request, signer, roster, state.request.target)
        ]
        none = Act(signer.name, request.step, request.role, request.delegator, is_approval=True)
        fitting = next((act for act in acts if not counting.read(act).fault), (*acts, none)[0])
        check_fits(counting, fitting)
        return fitting

    async def _signing(
        self, request: _Request, context: Context, circumstances: Intent
    ) -> tuple[Signing, Roster]:
        """Return the signature in a request, what it is judged by, and the people concerned."""
        signer = await self._signer(context)
        roster = await self._roster()
        signing = Signing(
            signer=signer,
            record=request.record,
            signature=request.signature,
            printed_name=_told(request.printed_name),
            reason=_told(request.reason),
            deployment=self._deployment,
            at=max(circumstances.time, roster.at),
            passkey=self._own_passkey(request.passkey),
        )
        return signing, roster

    def _record(
        self,
        state: Approval,
        request: api.PrepareSignatureRequest,
        act: Act,
        reason: PersonalText,
        printed_name: PersonalText,
    ) -> record.SigningRecord:
        """Return the record that says what the state says, now."""
        asked = state.request
        return record.SigningRecord(
            deployment=self._deployment,
            approval=asked.name,
            nonce=asked.nonce,
            subject=record.Named(asked.version, asked.manifest_digest),
            target=asked.target,
            policies=tuple(record.Named(each.name, each.digest) for each in asked.policies),
            evidence_digest=asked.evidence_digest,
            step=act.step,
            role=act.role,
            delegator=act.delegator,
            meaning=_MEANINGS[request.meaning],
            signer=str(KeyName.parse(request.key).parent),
            key=request.key,
            time=datetime.now(UTC).replace(microsecond=0),
            reason_code=request.reason_code,
            reason_commitment=reason.commitment.hex(),
            printed_name_commitment=printed_name.commitment.hex(),
        )


def _roles(
    request: api.PrepareSignatureRequest, signer: Signer, roster: Roster, target: str
) -> list[str]:
    """Return the approver roles to try, the asked one, else each that the caller may use."""
    if request.role:
        return [request.role]
    usable = (
        held.role.partition(":")[2]
        for held in roster.roles(signer.name, "", target)
        if held.delegator == request.delegator
    )
    return sorted(usable) or [""]


def _asked(request: _Request, context: Context) -> tuple[str, Intent]:
    """Return the approval, and the circumstances, whose reason comes with its commitment."""
    reason = _told(request.reason)
    circumstances = replace(intent(request, context), reason=reason if reason.clear else None)
    return str(ApprovalName.parse(request.name)), circumstances


def _told(text: PersonalText) -> PersonalText:
    """Return a text as people send it: in the clear, with its commitment."""
    return PersonalText(clear=text.clear, commitment=text.commitment, salt=text.salt)
