"""SimulatePolicy: how past approvals would have come out under another policy; writes nothing."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay_approval import queries
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.past import DECIDING, Past, Told, replay
from assay_approval.domain.policies import POLICIES, Policies, Version
from assay_approval.domain.policy_form import normal
from assay_approval.domain.simulation import Trial
from assay_approval.service.histories import last
from assay_approval.service.people import Roster, admits
from assay_approval.service.showing import Showing
from assay_approval.signatures import policy_digest
from assay_events import codec
from assay_events.envelope import Stored
from assay_serve.call import Context
from assay_serve.postgres import Snapshot

_MOST_FLIPS = 1000
_AT_ONCE = 200
_TYPES = [event.DESCRIPTOR.full_name for event in DECIDING]
_Events = Sequence[tuple[Stored, bool]]


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
            trial = Trial(asked, known)
            now = await self._roster()
            async with aclosing(_decided(snapshot, str(namespace))) as decided:
                async for pasts in decided:
                    self._try(trial, pasts, now, answer)
        return answer

    async def _policies_at(self, at: Snapshot, namespace: str) -> Policies:
        subject = POLICIES.subject(namespace)
        found = await queries.events(at, [subject])
        await self._rights.reach(at.revision)
        return last(self._told_of(POLICIES, found[subject]), POLICIES)

    def _try(
        self,
        trial: Trial,
        approvals: Iterable[_Events],
        now: Roster,
        answer: api.SimulatePolicyResponse,
    ) -> None:
        for events in approvals:
            past = replay(self._admitted(events))
            if not past.request.name:
                continue
            simulated, detail = trial.would(past, self._people(past, now))
            answer.approval_count += 1
            if simulated == past.outcome:
                continue
            answer.flip_count += 1
            if len(answer.flips) < _MOST_FLIPS:
                answer.flips.add(
                    approval=past.request.name,
                    state=past.outcome,
                    simulated_state=simulated,
                    detail=detail,
                )

    def _admitted(self, events: _Events) -> Iterable[Told]:
        """Yield the events of an approval, less those that no key stands for."""
        for stored, holds in events:
            recorded = codec.decode(stored)
            if isinstance(recorded.event, DECIDING) and admits(self._rights.directory, recorded):
                yield Told(recorded.event, recorded.revision, recorded.time, holds)

    def _people(self, past: Past, now: Roster) -> Roster:
        """Return the people as they were when it was decided, now where it is open."""
        decided = past.decided
        return now if decided is None else Roster(now.directory, decided.time, decided.revision)


async def _decided(at: Snapshot, namespace: str) -> AsyncGenerator[list[_Events], None]:
    """Yield the events of a namespace's decided approvals, some at a time, oldest first.

    The next are read while those before are counted; others have their turn between.
    """
    waiting = asyncio.create_task(_some(at, namespace, 0))
    try:
        while True:
            found, after = await waiting
            if not found:
                return
            waiting = asyncio.create_task(_some(at, namespace, after))
            await asyncio.sleep(0)
            yield found
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def _some(at: Snapshot, namespace: str, after: int) -> tuple[list[_Events], int]:
    rows = await queries.decided(at.db, namespace, after, _AT_ONCE)
    if not rows:
        return [], after
    subjects = [APPROVAL.subject(row["name"]) for row in rows]
    found = await queries.pasts(at, subjects, _TYPES)
    return [found[subject] for subject in subjects], rows[-1]["revision"]
