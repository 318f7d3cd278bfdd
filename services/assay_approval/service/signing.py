"""Signatures: prepared, added, turned into a rejection, and grants taken back."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TypedDict

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Approval as Told
from assay.approval.v1.resources_pb2 import Meaning
from assay.names import ApprovalName, KeyName
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain.approval import (
    APPROVAL,
    Command,
    Reject,
    Revoke,
    Sign,
    check_may_sign,
)
from assay_approval.domain.counting import Approval
from assay_approval.domain.signing import Signing, check_reason, check_signer, enrolled_key
from assay_approval.service.messages import to_approval
from assay_approval.service.parts import Parts, caller
from assay_events.commands import Intent
from assay_serve.call import Context, actor, intent, personal_text
from assay_trust import record
from assay_trust.display import display_text

_MEANINGS = {
    Meaning.MEANING_APPROVED: record.Meaning.APPROVED,
    Meaning.MEANING_REJECTED: record.Meaning.REJECTED,
}


class _Answer(TypedDict):
    """What the rpcs that change an approval answer."""

    approval: Told
    consistency_token: str


class Signatures(Parts):
    """The rpcs by which people decide about an approval."""

    async def PrepareSignature(
        self, request: api.PrepareSignatureRequest, context: Context
    ) -> api.PrepareSignatureResponse:
        """Return what the caller would sign; refuse where the rules would refuse the signature."""
        name = str(ApprovalName.parse(request.name))
        signer = await self._signer(context)
        state = (await self._commands.fold(APPROVAL, name)).state
        check_signer(signer)
        check_may_sign(name, signer.name, state)
        enrolled_key(signer, request.key)
        reason = personal_text(request.reason) or PersonalText()
        if request.meaning == Meaning.MEANING_REJECTED:
            check_reason(reason)
        printed_name = personal_text(signer.printed_name) or PersonalText()
        prepared = self._record(state, request, reason, printed_name)
        return api.PrepareSignatureResponse(
            record=prepared.to_bytes(),
            display_text=display_text(prepared),
            reason=reason,
            printed_name=printed_name,
        )

    async def SignApproval(
        self, request: api.SignApprovalRequest, context: Context
    ) -> api.SignApprovalResponse:
        """Add one signature; grant the approval when it completes the quorum."""
        name, circumstances = (
            str(ApprovalName.parse(request.name)),
            _circumstances(request, context),
        )
        command = Sign(name, await self._signing(request, context, circumstances))
        return api.SignApprovalResponse(**await self._handle(name, command, circumstances))

    async def RejectApproval(
        self, request: api.RejectApprovalRequest, context: Context
    ) -> api.RejectApprovalResponse:
        """Close an open approval with a signature."""
        name, circumstances = (
            str(ApprovalName.parse(request.name)),
            _circumstances(request, context),
        )
        command = Reject(name, await self._signing(request, context, circumstances))
        return api.RejectApprovalResponse(**await self._handle(name, command, circumstances))

    async def RevokeApproval(
        self, request: api.RevokeApprovalRequest, context: Context
    ) -> api.RevokeApprovalResponse:
        """Take a grant back."""
        caller(context)
        name, circumstances = str(ApprovalName.parse(request.name)), intent(request, context)
        command = Revoke(name, actor(context).kind, circumstances.reason or PersonalText())
        return api.RevokeApprovalResponse(**await self._handle(name, command, circumstances))

    async def _signing(
        self,
        request: api.SignApprovalRequest | api.RejectApprovalRequest,
        context: Context,
        circumstances: Intent,
    ) -> Signing:
        """Return the signature in a request, and what it is judged by."""
        return Signing(
            signer=await self._signer(context),
            record=request.record,
            signature=request.signature,
            printed_name=_told(request.printed_name),
            reason=_told(request.reason),
            deployment=self._deployment,
            at=circumstances.time,
        )

    async def _handle(self, name: str, command: Command, circumstances: Intent) -> _Answer:
        """Handle a command, and return what each of these rpcs answers."""
        done = await self._commands.handle(APPROVAL, name, command, circumstances)
        approval = to_approval(await self._history(APPROVAL, name, done.revision))
        return {"approval": approval, "consistency_token": done.token}

    def _record(
        self,
        state: Approval,
        request: api.PrepareSignatureRequest,
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
            meaning=_MEANINGS[request.meaning],
            signer=str(KeyName.parse(request.key).parent),
            key=request.key,
            time=datetime.now(UTC).replace(microsecond=0),
            reason_commitment=reason.commitment.hex(),
            printed_name_commitment=printed_name.commitment.hex(),
        )


def _circumstances(
    request: api.SignApprovalRequest | api.RejectApprovalRequest, context: Context
) -> Intent:
    """Return the circumstances of a signature, whose reason comes with its commitment."""
    reason = _told(request.reason)
    return replace(intent(request, context), reason=reason if reason.clear else None)


def _told(text: PersonalText) -> PersonalText:
    """Return a text as people send it: in the clear, with its commitment."""
    return PersonalText(clear=text.clear, commitment=text.commitment, salt=text.salt)
