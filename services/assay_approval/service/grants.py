"""CheckGrant: the one question of the other services, answered from the stream or not at all."""

from collections.abc import Sequence

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import KeyEnrolled, KeyRevoked
from assay.approval.v1.resources_pb2 import PolicyRef
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.counting import Approval
from assay_approval.domain.grant import Entry, Evidence, KeyLife, has_quorum, is_candidate
from assay_approval.domain.policies import POLICIES, Policies, governing
from assay_approval.domain.principal import PRINCIPAL, Principal
from assay_approval.service.parts import Parts, Step
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
        target = names.target(request.target)
        entry = Entry(target, names.VersionName.parse(request.version), request.manifest_digest)
        folded = await self._commands.fold(POLICIES, str(target.parent.parent))
        policies = governing(folded.state, target)
        answer = api.CheckGrantResponse(
            is_governed=bool(policies),
            policies=[PolicyRef(name=each.name, digest=each.digest) for each in policies],
            consistency_token=token.encode(folded.revision),
        )
        if policies:
            for name in await self._candidates(request.approval, entry, context):
                if await self._is_live(name, entry, folded.state):
                    answer.approval = name
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
            return await queries.granted(snapshot.db, str(entry.version), str(entry.target))

    async def _is_live(self, name: str, entry: Entry, policies: Policies) -> bool:
        """Return whether an approval grants the entry, everything counted again."""
        steps = await self._history(APPROVAL, name)
        approval = steps[-1].state if steps else APPROVAL.initial
        if not is_candidate(approval, entry, policies):
            return False
        keys = dict[str, KeyLife]()
        for signer in approval.signers:
            keys |= lives(await self._history(PRINCIPAL, signer))
        return has_quorum(approval, policies, Evidence(self._deployment, signed_at(steps), keys))


def signed_at(steps: Sequence[Step[Approval]]) -> dict[str, int]:
    """Return the revision of each signature that counts, by signer."""
    return {
        signer: step.recorded.revision
        for step in steps
        for signer in step.state.signers[len(step.before.signers) :]
    }


def lives(steps: Sequence[Step[Principal]]) -> dict[str, KeyLife]:
    """Return from when to when each key of a principal may sign."""
    found = dict[str, KeyLife]()
    for step in steps:
        event, revision = step.recorded.event, step.recorded.revision
        if step.state == step.before:
            continue
        if isinstance(event, KeyEnrolled):
            found[event.name] = KeyLife(event.public_key, revision)
        elif isinstance(event, KeyRevoked):
            enrolled = found[event.name]
            found[event.name] = KeyLife(enrolled.public_key, enrolled.enrolled_at, revision)
    return found
