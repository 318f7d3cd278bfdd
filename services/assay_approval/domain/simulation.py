"""How an approval would have come out under another policy: the same count, other specs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from assay import names
from assay.approval.v1.events_pb2 import ApprovalRequested
from assay.approval.v1.resources_pb2 import ApprovalState, PolicyRef, PolicySpec
from assay_approval.conditions import Condition, Excerpt, compile_condition
from assay_approval.domain.counting import GRANTED, OPEN
from assay_approval.domain.past import Past
from assay_approval.domain.policies import Policies, Target, Version, governing
from assay_approval.verdict import People, Verdict, count, pinned
from assay_trust.errors import TrustError

_REJECTED = ApprovalState.APPROVAL_STATE_REJECTED
_TIER = "model.tier"


@dataclass(frozen=True, slots=True)
class _Ready:
    """Policies that would have governed together, ready to be counted."""

    policies: Sequence[PolicyRef]
    specs: Sequence[PolicySpec]
    conditions: Sequence[Condition]
    variables: Collection[str]


class Trial:
    """A policy that takes the place of its own versions, tried on one approval after the other."""

    def __init__(self, asked: Version, known: Mapping[str, Version]) -> None:
        """Try `asked`; `known` has each version ever of each policy."""
        self._asked, self._known = asked, known
        self._own = _policy(asked.name)
        self._ready = dict[tuple[str, ...], _Ready]()

    def would(self, past: Past, people: People) -> tuple[ApprovalState.ValueType, str]:
        """Return what would have been decided, and why."""
        try:
            versions = self._versions(past.request)
            if not versions:
                return GRANTED, "No policy would govern the target."
            ready = self._readied(versions)
            unmet = _unmet(past, ready)
        except TrustError:
            return OPEN, "The inputs of its conditions can't be read."
        if unmet:
            return OPEN, f"A condition would not be met: {unmet}."
        return _told(count(_request(past.request, ready), past.acts, people))

    def _versions(self, request: ApprovalRequested) -> list[Version]:
        """Return the policies that would have governed: those pinned, with the one in its place."""
        others = [
            self._known[each.name]
            for each in request.policies
            if each.name in self._known and _policy(each.name) != self._own
        ]
        tier = _tier(request) if self._asked.spec.tiers else ""
        target = Target(names.target(request.target), tier)
        selected = governing(Policies(newest={self._own: self._asked}), target)
        return sorted([*others, *selected], key=lambda version: version.name)

    def _readied(self, versions: Sequence[Version]) -> _Ready:
        key = tuple(version.name for version in versions)
        if key not in self._ready:
            self._ready[key] = _ready(versions)
        return self._ready[key]


def _ready(versions: Sequence[Version]) -> _Ready:
    conditions = [
        compile_condition(condition.id, condition.expression)
        for version in versions
        for condition in version.spec.conditions
    ]
    return _Ready(
        policies=[PolicyRef(name=each.name, digest=each.digest) for each in versions],
        specs=[pinned(each.spec) for each in versions],
        conditions=conditions,
        variables=frozenset[str]().union(*(each.variables for each in conditions)),
    )


def _unmet(past: Past, ready: _Ready) -> str:
    """Return the first condition that is not met by what was evaluated then, empty for none."""
    if past.request.is_break_glass or not ready.conditions:
        return ""
    inputs = Excerpt.of(past.request.evidence, ready.variables).with_attached(past.claims)
    for condition in ready.conditions:
        verdict = condition.evaluate(inputs)
        if not verdict.satisfied:
            return f"{condition.id}: {verdict.detail}"
    return ""


def _tier(request: ApprovalRequested) -> str:
    return str(Excerpt.of(request.evidence, {_TIER}).values.get(_TIER, ""))


def _request(request: ApprovalRequested, ready: _Ready) -> ApprovalRequested:
    """Return as much of a request as is counted, with other policies."""
    return ApprovalRequested(
        target=request.target,
        submitter=request.submitter,
        registrant=request.registrant,
        trainers=request.trainers,
        is_break_glass=request.is_break_glass,
        policies=ready.policies,
        specs=ready.specs,
    )


def _told(verdict: Verdict) -> tuple[ApprovalState.ValueType, str]:
    if verdict.is_rejected:
        return _REJECTED, "A rejection would have closed it."
    if verdict.is_complete:
        return GRANTED, "Each seat would be full."
    short = next((seat for seat in verdict.seats if not seat.is_full), None)
    if short is None:
        return OPEN, "The policy would know no way to grant it."
    have = len(short.signers)
    who = short.role or "any approver"
    return OPEN, f"Step {short.step} would have {have} of {short.count} signatures of {who}."


def _policy(version: str) -> str:
    return version.rpartition("/versions/")[0]
