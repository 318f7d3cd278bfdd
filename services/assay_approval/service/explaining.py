"""ExplainApproval: who still has to do what."""

from collections.abc import Iterator, Sequence

from assay import names
from assay.approval.v1 import approval_service_pb2 as api
from assay_approval import queries
from assay_approval.domain.counting import Approval
from assay_approval.domain.signature import so_far
from assay_approval.service.people import Roster
from assay_approval.service.showing import Showing
from assay_approval.service.telling import to_approval
from assay_approval.verdict import Act, Counting, SeatCount
from assay_events.decider import NotFound
from assay_serve.call import Context

_MOST_APPROVERS = 1000
_MOST_NAMED = 50


class Explaining(Showing):
    """The rpc that tells what is left to do."""

    async def ExplainApproval(
        self, request: api.ExplainApprovalRequest, context: Context
    ) -> api.ExplainApprovalResponse:
        """Return the approval, and each thing that somebody has to do before it is granted."""
        name = str(names.ApprovalName.parse(request.name))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            steps = (await self._steps(snapshot, [name]))[name]
            if not steps:
                raise NotFound(name)
            approvers = await queries.approvers(snapshot.db, _MOST_APPROVERS)
        roster = await self._roster()
        state = steps[-1].state
        return api.ExplainApprovalResponse(
            approval=to_approval(steps, self._roster_of(steps)),
            tasks=_tasks(state, roster, approvers),
            consistency_token=snapshot.token,
        )


def _tasks(state: Approval, roster: Roster, approvers: Sequence[str]) -> Iterator[api.Task]:
    if state.review_due is not None:
        due = f"{state.review_due:%Y-%m-%d %H:%M:%S}Z"
        words = f"An approver has to review the break-glass grant by {due}."
        able = _reviewers(state, roster, approvers)
        yield api.Task(description=words, principals=able[:_MOST_NAMED], is_open=True)
    if not state.is_open:
        return
    for condition, detail in state.missing.items():
        words = f"Attach evidence for {condition.rpartition('/')[2]}: {detail}"
        yield api.Task(description=words, is_open=True)
    counting = so_far(state, roster)
    for seat in counting.verdict().seats:
        if not seat.is_full:
            able = _able(seat, counting, roster, state.request.target, approvers)
            yield api.Task(
                description=_words(seat), principals=able[:_MOST_NAMED], is_open=seat.is_open
            )


def _reviewers(state: Approval, roster: Roster, approvers: Sequence[str]) -> list[str]:
    """Return who may review a break-glass grant: approvers at the target with no part in it."""
    involved = {roster.person(each) for each in (state.request.submitter, *state.signers)}
    return [
        who
        for who in approvers
        if roster.person(who) not in involved and roster.roles(who, "", state.request.target)
    ]


def _words(seat: SeatCount) -> str:
    left = seat.count - len(seat.signers)
    who = f"{left} {seat.role or 'approver'}{'' if left == 1 else 's'}"
    verb = "has" if left == 1 else "have"
    return f"{who} {verb} to sign step {seat.step} of {seat.policy}."


def _able(
    seat: SeatCount, counting: Counting, roster: Roster, target: str, approvers: Sequence[str]
) -> list[str]:
    """Return who may take a seat now; of one that is not open yet nobody."""
    if not seat.is_open:
        return []
    able = list[str]()
    for who in approvers:
        acts = (
            Act(who, seat.step, held.role.partition(":")[2], held.delegator, is_approval=True)
            for held in roster.roles(who, seat.role, target)
        )
        if any(seat.policy in counting.read(act).policies for act in acts):
            able.append(who)
    return able
