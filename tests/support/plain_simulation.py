"""Simulation the plain way: whole states, inputs checked, one verdict; what the fast way equals."""

from collections.abc import Mapping, Sequence

from assay import names
from assay.approval.v1.events_pb2 import ApprovalRequested
from assay.approval.v1.resources_pb2 import ApprovalState, PolicyRef
from assay_approval.conditions import Inputs
from assay_approval.domain.counting import GRANTED, OPEN, Approval
from assay_approval.domain.policies import Policies, Target, Version, governing
from assay_approval.domain.requesting import claims_of, evaluate
from assay_approval.verdict import People, count, pinned

REJECTED = ApprovalState.APPROVAL_STATE_REJECTED


def outcome(states: Sequence[Approval]) -> ApprovalState.ValueType:
    """Return what was decided: GRANTED whatever came later, REJECTED, or OPEN where neither."""
    seen = {state.state for state in states}
    if GRANTED in seen:
        return GRANTED
    return REJECTED if REJECTED in seen else OPEN


def would(
    state: Approval, asked: Version, known: Mapping[str, Version], people: People
) -> tuple[ApprovalState.ValueType, str]:
    """Return what would have been decided with `asked` in the place of its policy, and why."""
    versions = _versions(state.request, asked, known)
    if not versions:
        return GRANTED, "No policy would govern the target."
    unmet = _unmet(state, versions)
    if unmet:
        return OPEN, f"A condition would not be met: {unmet}."
    request = ApprovalRequested()
    request.CopyFrom(state.request)
    del request.policies[:], request.specs[:]
    request.policies.extend(PolicyRef(name=each.name, digest=each.digest) for each in versions)
    request.specs.extend(pinned(each.spec) for each in versions)
    verdict = count(request, state.acts, people)
    if verdict.is_rejected:
        return REJECTED, "A rejection would have closed it."
    if verdict.is_complete:
        return GRANTED, "Each seat would be full."
    short = next((seat for seat in verdict.seats if not seat.is_full), None)
    if short is None:
        return OPEN, "The policy would know no way to grant it."
    have = len(short.signers)
    who = short.role or "any approver"
    return OPEN, f"Step {short.step} would have {have} of {short.count} signatures of {who}."


def _versions(
    request: ApprovalRequested, asked: Version, known: Mapping[str, Version]
) -> list[Version]:
    """Return the policies that would have governed: those pinned, `asked` in place of its own."""
    own = asked.name.rpartition("/versions/")[0]
    others = [
        known[each.name]
        for each in request.policies
        if each.name in known and each.name.rpartition("/versions/")[0] != own
    ]
    tier = str(_inputs(request).values.get("model.tier", ""))
    target = Target(names.target(request.target), tier)
    selected = governing(Policies(newest={own: asked}), target)
    return sorted([*others, *selected], key=lambda version: version.name)


def _unmet(state: Approval, versions: Sequence[Version]) -> str:
    """Return the first condition that is not met by what was evaluated then, empty for none."""
    if state.request.is_break_glass:
        return ""
    inputs = _inputs(state.request).with_attached(claims_of(state.evidence))
    unmet = (result for result in evaluate(versions, inputs) if not result.is_satisfied)
    found = next(unmet, None)
    return f"{found.name.rpartition('/')[2]}: {found.detail}" if found else ""


def _inputs(request: ApprovalRequested) -> Inputs:
    return Inputs.from_bytes(request.evidence)
