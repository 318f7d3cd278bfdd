"""Policies: published by people, read by all."""

from assay.approval.v1 import approval_service_pb2 as api
from assay.names import NamespaceName, PolicyName, slug
from assay_approval import queries
from assay_approval.domain.policies import POLICIES, PublishPolicy, newer_policy
from assay_approval.service.messages import to_policy
from assay_approval.service.parts import Parts
from assay_events.commands import Intent
from assay_serve.call import Context, intent


class Policies(Parts):
    """The rpcs about policies."""

    async def PublishPolicy(
        self, request: api.PublishPolicyRequest, context: Context
    ) -> api.PublishPolicyResponse:
        """Publish the next version; it governs at once."""
        signer = await self._signer(context)
        namespace = NamespaceName.parse(request.parent)
        name = PolicyName(namespace.namespace, slug(request.policy_id))
        circumstances = intent(request, context)
        command = PublishPolicy(
            policy=str(name),
            spec=request.policy.spec,
            kind=signer.kind,
            is_trusted=signer.is_owner or bool(signer.keys),
            known_number=await self._known_number(name, request.policy.etag, circumstances),
        )
        done = await self._commands.handle(POLICIES, str(namespace), command, circumstances)
        steps = await self._history(POLICIES, str(namespace), done.revision)
        policy = to_policy(steps, str(name))
        return api.PublishPolicyResponse(policy=policy, consistency_token=done.token)

    async def GetPolicy(
        self, request: api.GetPolicyRequest, context: Context
    ) -> api.GetPolicyResponse:
        """Return a policy at its newest version."""
        name = str(PolicyName.parse(request.name))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            found = await queries.get_policy(snapshot.db, name)
        return api.GetPolicyResponse(policy=found, consistency_token=snapshot.token)

    async def ListPolicies(
        self, request: api.ListPoliciesRequest, context: Context
    ) -> api.ListPoliciesResponse:
        """Return one page of the policies of a namespace, by name."""
        NamespaceName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            page = await queries.list_policies(snapshot.db, request)
        return api.ListPoliciesResponse(
            policies=page.resources,
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def _known_number(self, name: PolicyName, etag: str, circumstances: Intent) -> int:
        """Return the number of the version that `etag` marks; 0 without one, and on a retry."""
        namespace = str(name.parent)
        folded = await self._commands.fold(POLICIES, namespace)
        if not etag or folded.first_revision(circumstances.request_id):
            return 0
        newest = folded.state.newest.get(str(name))
        if newest is None or folded.etag(newest.name) != etag:
            raise newer_policy()
        return newest.number
