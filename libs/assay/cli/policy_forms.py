"""Policies as people read them: their parts in words, and what differs between two."""

from collections.abc import Sequence

from assay.approval.v1.approval_service_pb2 import GetPolicyRequest
from assay.approval.v1.resources_pb2 import Independence, OnEnd, Policy, PolicySpec, Seat, Step
from assay.cli.command import Context
from assay.cli.durations import text_of
from assay.errors import NotFound


def facts(spec: PolicySpec) -> list[tuple[str, str]]:
    """Return each part of a policy in words, by the name that it has in a file."""
    steps = [(f"step {number} {s.id}", _step(s)) for number, s in enumerate(spec.steps, 1)]
    conditions = [
        (f"condition {c.id}", c.expression + (" (may follow)" if c.may_follow else ""))
        for c in spec.conditions
    ]
    return [
        ("description", spec.description),
        ("models", ", ".join(spec.models)),
        ("stages", ", ".join(spec.stages)),
        ("aliases", ", ".join(spec.aliases)),
        ("tiers", ", ".join(spec.tiers)),
        ("quorum", str(spec.quorum) if spec.quorum and not spec.steps else ""),
        *steps,
        *conditions,
        ("valid_for", text_of(spec.valid_seconds)),
        ("recertify_before", text_of(spec.recertify_before_seconds)),
        ("open_for", text_of(spec.open_seconds)),
        ("reason_codes", ", ".join(spec.reason_codes)),
        ("break_glass", _break_glass(spec)),
        ("on_end", OnEnd.Name(spec.on_end).removeprefix("ON_END_").lower() if spec.on_end else ""),
    ]


def differences(old: PolicySpec, new: PolicySpec) -> list[list[str]]:
    """Return what differs between two policies: the field, what it was, what it is."""
    before, after = dict(facts(old)), dict(facts(new))
    names = [*before, *(name for name in after if name not in before)]
    pairs = [(name, before.get(name, ""), after.get(name, "")) for name in names]
    return [[name, was, now] for name, was, now in pairs if was != now]


def proposed(context: Context, name: str) -> Policy:
    """Return the policy of a proposed version."""
    policy = name.rpartition("/versions/")[0]
    return context.client.approval.GetPolicy(GetPolicyRequest(name=policy)).policy


def current(context: Context, name: str) -> Policy:
    """Return a policy as it is in force, an empty one where there is none yet."""
    try:
        return context.client.approval.GetPolicy(GetPolicyRequest(name=name)).policy
    except NotFound:
        return Policy(name=name)


def _step(step: Step) -> str:
    words = [_seats(step.seats)]
    if step.independent_of:
        others = [
            Independence.Name(i).removeprefix("INDEPENDENCE_").lower() for i in step.independent_of
        ]
        words.append(f"independent of {' and '.join(others)}")
    if step.survives_rejection:
        words.append("survives a rejection")
    return ", ".join(words)


def _seats(seats: Sequence[Seat]) -> str:
    return " and ".join(f"{seat.count} {seat.role or 'of any role'}" for seat in seats)


def _break_glass(spec: PolicySpec) -> str:
    if not spec.HasField("break_glass"):
        return ""
    way = spec.break_glass
    within, valid = text_of(way.review_seconds), text_of(way.valid_seconds)
    return f"{_seats(way.seats)}, reviewed within {within}, for {valid}"
