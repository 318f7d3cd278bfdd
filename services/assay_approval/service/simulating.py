"""SimulatePolicy: how past approvals would have come out under another policy; writes nothing."""

from collections.abc import Mapping, Sequence

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval import queries
from assay_approval.domain import counting
from assay_approval.domain.policies import POLICIES, Policies, Version
from assay_approval.domain.policy_form import normal
from assay_approval.domain.simulation import outcome, would
from assay_approval.service.histories import Step, last
from assay_approval.service.showing import Showing
from assay_approval.signatures import policy_digest
from assay_serve.call import Context
from assay_serve.postgres import Snapshot

_MOST_FLIPS = 1000
_AT_ONCE = 500


class Simulating(Showing):
    """The rpc that tries a policy on the past."""

    async def SimulatePolicy(
        self, request: api.SimulatePolicyRequest, context: Context
    ) -> api.SimulatePolicyResponse:
        """Count every decided approval of the namespace again, with the policy in its place."""
        namespace = names.NamespaceName.parse(request.parent)
        policy = names.PolicyName(namespace.namespace, names.slug(request.policy_id))
        spec = normal(request.spec)
        asked = Version(f"{policy}/versions/0", 0, policy_digest(spec), spec)
        answer = api.SimulatePolicyResponse()
        async with self._reads.at("", context=context) as snapshot:
            answer.consistency_token = snapshot.token
            known = (await self._policies_at(snapshot, str(namespace))).versions
            after = 0
            while rows := await queries.decided(snapshot.db, str(namespace), after, _AT_ONCE):
                after = rows[-1]["revision"]
                steps = await self._steps(snapshot, [row["name"] for row in rows])
                self._replay(list(steps.values()), asked, known, answer)
        return answer

    async def _policies_at(self, at: Snapshot, namespace: str) -> Policies:
        subject = POLICIES.subject(namespace)
        found = await queries.events(at, [subject])
        await self._rights.reach(at.revision)
        return last(self._told_of(POLICIES, found[subject]), POLICIES)

    def _replay(
        self,
        approvals: Sequence[Sequence[Step[counting.Approval]]],
        asked: Version,
        known: Mapping[str, Version],
        answer: api.SimulatePolicyResponse,
    ) -> None:
        for steps in approvals:
            if not steps:
                continue
            was = outcome([step.state for step in steps])
            simulated, detail = would(steps[-1].state, asked, known, self._roster_of(steps))
            answer.approval_count += 1
            if simulated != was:
                answer.flip_count += 1
                if len(answer.flips) < _MOST_FLIPS:
                    answer.flips.append(_flip(steps[-1].state, was, simulated, detail))


def _flip(
    state: counting.Approval,
    was: ApprovalState.ValueType,
    simulated: ApprovalState.ValueType,
    detail: str,
) -> api.Flip:
    return api.Flip(approval=state.name, state=was, simulated_state=simulated, detail=detail)
