"""CheckGrant: the one question of the other services, answered from the stream or not at all."""

from collections.abc import Sequence

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import ApprovalGranted
from assay.approval.v1.resources_pb2 import PolicyRef
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.counting import Approval
from assay_approval.domain.grant import Entry, Evidence, is_candidate, is_earned
from assay_approval.domain.policies import Policies, Target, governing
from assay_approval.service.histories import Step
from assay_approval.service.messages import to_timestamp
from assay_approval.service.parts import Parts
from assay_approval.service.people import Roster
from assay_events import token
from assay_serve.call import Context
from assay_trust import digests


class Grants(Parts):
    """The rpc that other services ask before a version enters a stage or alias."""

    async def CheckGrant(
        self, request: api.CheckGrantRequest, context: Context
    ) -> api.CheckGrantResponse:
        """Say whether the target is governed, and which live grant covers the version."""
        digests.parse(request.manifest_digest)
        target = Target(names.target(request.target), request.tier)
        entry = Entry(target, names.VersionName.parse(request.version), request.manifest_digest)
        known, revision = await self._policies_of(str(target.name.parent.parent))
        policies = governing(known, target)
        answer = api.CheckGrantResponse(
            is_governed=bool(policies),
            policies=[PolicyRef(name=each.name, digest=each.digest) for each in policies],
            consistency_token=token.encode(revision),
        )
        if policies:
            for name in await self._candidates(request.approval, entry, context):
                approval = await self._live(name, entry, known)
                if approval is not None:
                    answer.approval = name
                    if approval.ends is not None:
                        answer.expire_time.CopyFrom(to_timestamp(approval.ends))
                    break
        return answer

    async def _candidates(self, named: str, entry: Entry, context: Context) -> Sequence[str]:
        """Return the approvals to look at: the named one, or those that the read model hints at.

        The read model must have seen all that is written now; where it is away, the answer is
        UNAVAILABLE: a target that is governed is never taken for one that is not.
        """
        if named:
            return [str(names.ApprovalName.parse(named))]
        freshest = await self._freshest()
        async with self._reads.at(freshest, context=context) as snapshot:
            target = str(entry.target.name)
            return await queries.granted(snapshot.db, str(entry.version), target)

    async def _live(self, name: str, entry: Entry, policies: Policies) -> Approval | None:
        """Return an approval that grants the entry, everything counted again; None where not."""
        steps = await self._history(APPROVAL, name)
        approval = steps[-1].state if steps else APPROVAL.initial
        if not is_candidate(approval, entry, policies, await self._now()):
            return None
        granted = next(
            step
            for step in reversed(steps)
            if step.counts and isinstance(step.recorded.event, ApprovalGranted)
        )
        directory, recorded = self._rights.directory, granted.recorded
        people = Roster(directory, recorded.time, recorded.revision)
        evidence = Evidence(
            self._deployment, recorded.time, signed_at(steps), directory.keys, people
        )
        return approval if is_earned(approval, policies, evidence) else None


def signed_at(steps: Sequence[Step[Approval]]) -> dict[str, int]:
    """Return the revision of each signature that counts, by signer."""
    return {
        signer: step.recorded.revision
        for step in steps
        for signer in step.state.signers[len(step.before.signers) :]
    }
