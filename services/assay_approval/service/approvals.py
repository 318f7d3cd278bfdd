"""Approvals: asked for, talked about, and read."""

from collections.abc import Sequence
from dataclasses import replace

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Approval
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval import queries
from assay_approval.cel.facts import Scan
from assay_approval.conditions import Inputs, compile_condition
from assay_approval.domain import counting
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Attach, Comment, Facts, Request, Void
from assay_approval.domain.policies import Target, Version, governing
from assay_approval.domain.requesting import EVALUATED
from assay_approval.service.parts import caller
from assay_approval.service.showing import Showing
from assay_approval.service.telling import to_comments
from assay_events.commands import Done, Intent
from assay_events.decider import Invalid, NotFound
from assay_events.ids import derived_id
from assay_serve.call import Context, intent, personal_text
from assay_trust.record import new_nonce

_NO_FACTS = Facts("", "", is_archived=False, inputs=Inputs({}))


class Approvals(Showing):
    """The rpcs that ask for approvals, bring something forward, and read them."""

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
            at=await self._now(),
            facts=_NO_FACTS,
            policies=(),
            is_break_glass=request.approval.is_break_glass,
            reason=circumstances.reason or PersonalText(),
            reason_code=request.reason_code,
        )
        if await self._commands.is_recorded(APPROVAL, name, circumstances.request_id):
            done = await self._commands.handle(APPROVAL, name, command, circumstances)
        else:
            command, version = await self._with_facts(command, context)
            done = await self._commands.handle(APPROVAL, name, command, circumstances)
            done = await self._void_if_changed(version, name, done, circumstances)
        return api.RequestApprovalResponse(
            approval=await self._told(name, done.revision), consistency_token=done.token
        )

    async def GetApproval(
        self, request: api.GetApprovalRequest, context: Context
    ) -> api.GetApprovalResponse:
        """Return one approval."""
        name = str(names.ApprovalName.parse(request.name))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            found = await self._shown(snapshot, [name])
        return api.GetApprovalResponse(approval=_one(found, name), consistency_token=snapshot.token)

    async def ListApprovals(
        self, request: api.ListApprovalsRequest, context: Context
    ) -> api.ListApprovalsResponse:
        """Return one page of the approvals of a namespace, newest first."""
        names.NamespaceName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            page = await queries.approvals(snapshot.db, request)
            found = await self._shown(snapshot, page.found)
        return api.ListApprovalsResponse(
            approvals=found,
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def CommentApproval(
        self, request: api.CommentApprovalRequest, context: Context
    ) -> api.CommentApprovalResponse:
        """Make a remark."""
        name = str(names.ApprovalName.parse(request.name))
        text = personal_text(request.text) or PersonalText()
        command = Comment(name, caller(context), text)
        done = await self._commands.handle(APPROVAL, name, command, intent(request, context))
        comments = to_comments(await self._history(APPROVAL, name, done.revision))
        return api.CommentApprovalResponse(comment=comments[-1], consistency_token=done.token)

    async def ListComments(
        self, request: api.ListCommentsRequest, context: Context
    ) -> api.ListCommentsResponse:
        """Return all remarks on an approval in one page: they are bounded by its events."""
        name = str(names.ApprovalName.parse(request.parent))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            steps = await self._steps(snapshot, [name])
        if not steps[name]:
            raise NotFound(name)
        return api.ListCommentsResponse(
            comments=to_comments(steps[name]), consistency_token=snapshot.token
        )

    async def AttachEvidence(
        self, request: api.AttachEvidenceRequest, context: Context
    ) -> api.AttachEvidenceResponse:
        """Bring evidence forward."""
        name = names.ApprovalName.parse(request.name)
        state = (await self._commands.fold(APPROVAL, str(name))).state
        policies, _ = await self._policies_of(f"namespaces/{name.namespace}")
        given = request.evidence
        if given.artifact:
            names.ArtifactName.parse(given.artifact)
        pinned = (policies.versions.get(each.name) for each in state.request.policies)
        command = Attach(
            approval=str(name),
            attacher=caller(context),
            type=given.type,
            artifact=given.artifact,
            claims=dict(given.claims),
            policies=tuple(version for version in pinned if version is not None),
            at=await self._now(),
        )
        return api.AttachEvidenceResponse(
            **await self._changed(str(name), command, intent(request, context))
        )

    async def _with_facts(self, command: Request, context: Context) -> tuple[Request, ModelVersion]:
        """Return the command with what the others say, read after all that was written before."""
        fresh = await self._freshest()
        version = await self._surroundings.version(command.version, fresh)
        command = _lasting(command, names.VersionName.parse(version.name))
        model = await self._surroundings.model(command.version.parent, fresh)
        origin = await self._surroundings.origin(version, fresh)
        target = Target(command.target, model.tier)
        known, _ = await self._policies_of(str(command.target.parent.parent))
        policies = governing(known, target)
        facts = Facts(
            manifest_digest=version.manifest_digest,
            registrant=version.creator,
            is_archived=version.state != State.STATE_ACTIVE,
            inputs=Inputs.of(version, model, Scan(), origin.lineage, {}, _needed(policies)),
            trainers=origin.trainers,
            review_due=await self._review_due(command, fresh, context),
        )
        return replace(command, facts=facts, policies=policies), version

    async def _void_if_changed(
        self,
        before: ModelVersion,
        name: str,
        done: Done[counting.Approval],
        circumstances: Intent,
    ) -> Done[counting.Approval]:
        """Void an approval whose version changed while it was asked for: no reaction knew of it."""
        version = names.VersionName.parse(before.name)
        after = await self._surroundings.version(version, done.token)
        changed = [path for path in EVALUATED if getattr(before, path) != getattr(after, path)]
        if not changed:
            return done
        request_id = derived_id(f"{name} changed", circumstances.request_id)
        asked = replace(circumstances, request_id=request_id, etag="")
        return await self._commands.handle(APPROVAL, name, Void(name, ", ".join(changed)), asked)

    async def _review_due(self, command: Request, fresh: str, context: Context) -> str:
        """Return a break-glass approval of the model that waits for its review, empty for none."""
        async with self._reads.at(fresh, context=context) as snapshot:
            return await queries.review_due(snapshot.db, str(command.target.parent))


def _needed(policies: Sequence[Version]) -> frozenset[str]:
    """Return the variables that the policies' conditions read."""
    found = frozenset[str]()
    for policy in policies:
        for condition in policy.spec.conditions:
            found |= compile_condition(condition.id, condition.expression).variables
    return found


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


def _one(found: Sequence[Approval], name: str) -> Approval:
    if not found:
        raise NotFound(name)
    return found[0]
