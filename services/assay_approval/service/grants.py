"""CheckGrant: the one question of the other services, answered from the stream or not at all."""

from collections.abc import Sequence

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    KeyEnrolled,
    KeyRevoked,
    RoleGranted,
)
from assay.approval.v1.resources_pb2 import PolicyRef
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.counting import Approval
from assay_approval.domain.grant import Entry, Evidence, KeyLife, is_candidate, is_earned
from assay_approval.domain.known import Principal
from assay_approval.domain.people import Roster
from assay_approval.domain.policies import POLICIES, Policies, Target, governing
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.service.histories import Step
from assay_approval.service.messages import to_timestamp
from assay_approval.service.parts import Parts
from assay_approval.service.telling import principals_of
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
        folded = await self._commands.fold(POLICIES, str(target.name.parent.parent))
        policies = governing(folded.state, target)
        answer = api.CheckGrantResponse(
            is_governed=bool(policies),
            policies=[PolicyRef(name=each.name, digest=each.digest) for each in policies],
            consistency_token=token.encode(folded.revision),
        )
        if policies:
            for name in await self._candidates(request.approval, entry, context):
                approval = await self._live(name, entry, folded.state)
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
        granted = next(s for s in reversed(steps) if isinstance(s.recorded.event, ApprovalGranted))
        pasts = await self._pasts(principals_of(steps))
        known = {name: _at(past, granted.recorded.revision) for name, past in pasts.items()}
        keys = {key: life for past in pasts.values() for key, life in lives(past).items()}
        people = Roster(granted.recorded.time, known)
        evidence = Evidence(self._deployment, signed_at(steps), keys, people)
        return approval if is_earned(approval, policies, evidence) else None

    async def _pasts(self, people: set[str]) -> dict[str, Sequence[Step[Principal]]]:
        """Return the past of people and their other accounts, less what wrongly claims founding."""
        found, waiting = dict[str, Sequence[Step[Principal]]](), set(people)
        end = await self._founding_end()
        while waiting:
            name = waiting.pop()
            steps = await self._history(PRINCIPAL, name)
            found[name] = [step for step in steps if not _is_late_founding(step, end)]
            links = steps[-1].state.links if steps else frozenset[str]()
            waiting |= links - found.keys()
        return found


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
        if not step.counts:
            continue
        if isinstance(event, KeyEnrolled):
            found[event.name] = KeyLife(event.public_key, revision)
        elif isinstance(event, KeyRevoked) and event.name in found:
            enrolled = found[event.name]
            found[event.name] = KeyLife(enrolled.public_key, enrolled.enrolled_at, revision)
    return found


def _at(past: Sequence[Step[Principal]], revision: int) -> Principal:
    """Return a principal as its events up to a revision make it."""
    events = (s.recorded.event for s in past if s.recorded.revision <= revision)
    return PRINCIPAL.fold(event for event in events if isinstance(event, PRINCIPAL.events))


def _is_late_founding(step: Step[Principal], end: int) -> bool:
    """Return whether an event claims to be of the founding and is not: written after its end."""
    event = step.recorded.event
    is_founding = isinstance(event, KeyEnrolled | RoleGranted) and event.founding
    return is_founding and 0 < end < step.recorded.revision
