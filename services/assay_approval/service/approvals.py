"""Approvals: asked for, and read."""

from dataclasses import replace

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import State
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL, MAX_EVIDENCE_BYTES, Facts, Request
from assay_approval.domain.policies import POLICIES, governing
from assay_approval.ports import evidence
from assay_approval.service.messages import to_approval
from assay_approval.service.parts import Parts, caller
from assay_events.decider import Invalid
from assay_events.ids import derived_id
from assay_serve.call import Context, intent
from assay_trust.record import new_nonce

_NO_FACTS = Facts("", "", is_archived=False, evidence=b"")


class Approvals(Parts):
    """The rpcs that ask for approvals and read them."""

    async def RequestApproval(
        self, request: api.RequestApprovalRequest, context: Context
    ) -> api.RequestApprovalResponse:
        """Open an approval with the facts and the policies as they are now."""
        circumstances = intent(request, context)
        namespace = names.NamespaceName.parse(request.parent)
        approval = derived_id(str(namespace), circumstances.request_id)
        name = str(names.ApprovalName(namespace.namespace, approval))
        command = Request(
            name=name,
            version=_version(request, namespace),
            target=names.target(request.approval.target),
            submitter=caller(context),
            nonce=new_nonce(),
            facts=_NO_FACTS,
            policies=(),
        )
        if not await self._commands.is_recorded(APPROVAL, name, circumstances.request_id):
            command = await self._with_facts(command)
        done = await self._commands.handle(APPROVAL, name, command, circumstances)
        opened = to_approval(await self._history(APPROVAL, name, done.revision))
        return api.RequestApprovalResponse(approval=opened, consistency_token=done.token)

    async def GetApproval(
        self, request: api.GetApprovalRequest, context: Context
    ) -> api.GetApprovalResponse:
        """Return one approval."""
        name = str(names.ApprovalName.parse(request.name))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            found = await queries.get_approval(snapshot.db, name)
        return api.GetApprovalResponse(approval=found, consistency_token=snapshot.token)

    async def ListApprovals(
        self, request: api.ListApprovalsRequest, context: Context
    ) -> api.ListApprovalsResponse:
        """Return one page of the approvals of a namespace, newest first."""
        names.NamespaceName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            page = await queries.list_approvals(snapshot.db, request)
        return api.ListApprovalsResponse(
            approvals=page.resources,
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def _with_facts(self, command: Request) -> Request:
        """Return the command with what metadata says, read after all that was written before."""
        version = await self._versions.get(command.version, await self._freshest())
        command = _lasting(command, names.VersionName.parse(version.name))
        target = command.target
        facts = Facts(
            manifest_digest=version.manifest_digest,
            registrant=version.creator,
            is_archived=version.state != State.STATE_ACTIVE,
            evidence=evidence(version, MAX_EVIDENCE_BYTES),
        )
        folded = await self._commands.fold(POLICIES, str(target.parent.parent))
        return replace(command, facts=facts, policies=governing(folded.state, target))


def _lasting(command: Request, version: names.VersionName) -> Request:
    """Return the command by the lasting name of a model that was asked for by another of its."""
    if version == command.version or command.target.parent != command.version.parent:
        return command
    target = replace(command.target, namespace=version.namespace, model=version.model)
    return replace(command, version=version, target=target)


def _version(
    request: api.RequestApprovalRequest, namespace: names.NamespaceName
) -> names.VersionName:
    version = names.VersionName.parse(request.approval.version)
    if version.parent.parent != namespace:
        words = "Name a version of the namespace in which the approval is asked for."
        raise Invalid(Reason.REASON_MALFORMED, words, field="approval.version")
    return version
