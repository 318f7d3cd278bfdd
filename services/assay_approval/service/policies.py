"""Policies: published or proposed by people, read by all."""

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Policy
from assay.names import NamespaceName, PolicyName, slug
from assay_approval import queries
from assay_approval.domain.policies import POLICIES, PublishPolicy, newer_policy
from assay_approval.service.messages import to_policies
from assay_approval.service.parts import Parts, caller
from assay_events.commands import Intent
from assay_events.decider import NotFound
from assay_serve.call import Context, actor, intent
from assay_serve.postgres import Snapshot


class Policies(Parts):
    """The rpcs about policies."""

    async def PublishPolicy(
        self, request: api.PublishPolicyRequest, context: Context
    ) -> api.PublishPolicyResponse:
        """Publish the first policy at the founding; propose each other version."""
        namespace = NamespaceName.parse(request.parent)
        name = PolicyName(namespace.namespace, slug(request.policy_id))
        circumstances = intent(request, context)
        command = PublishPolicy(
            policy=str(name),
            spec=request.policy.spec,
            kind=actor(context).kind,
            proposer=caller(context),
            founding=await self._is_founding(),
            known_number=await self._known_number(name, request.policy.etag, circumstances),
        )
        done = await self._commands.handle(POLICIES, str(namespace), command, circumstances)
        steps = await self._history(POLICIES, str(namespace), done.revision)
        return api.PublishPolicyResponse(
            policy=to_policies(steps)[str(name)], consistency_token=done.token
        )

    async def GetPolicy(
        self, request: api.GetPolicyRequest, context: Context
    ) -> api.GetPolicyResponse:
        """Return a policy at its newest version."""
        name = PolicyName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            found = await self._policies(snapshot, str(name.parent))
        if str(name) not in found:
            raise NotFound(str(name))
        return api.GetPolicyResponse(policy=found[str(name)], consistency_token=snapshot.token)

    async def ListPolicies(
        self, request: api.ListPoliciesRequest, context: Context
    ) -> api.ListPoliciesResponse:
        """Return one page of the policies of a namespace, by name."""
        namespace = str(NamespaceName.parse(request.parent))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            page = await queries.policies(snapshot.db, request)
            found = await self._policies(snapshot, namespace)
        return api.ListPoliciesResponse(
            policies=[found[name] for name in page.found if name in found],
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def _policies(self, at: Snapshot, namespace: str) -> dict[str, Policy]:
        """Return a namespace's policies as the read model has them."""
        subject = POLICIES.subject(namespace)
        found = await queries.events(at, [subject])
        await self._rights.reach(at.revision)
        return dict(to_policies(self._told_of(POLICIES, found[subject])))

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
