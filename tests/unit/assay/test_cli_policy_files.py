"""Policies in YAML: every part of them, each mistake named with its place; and what differs."""

from pathlib import Path

import pytest

from assay.approval.v1.resources_pb2 import (
    BreakGlass,
    Condition,
    Independence,
    OnEnd,
    PolicySpec,
    Seat,
    Step,
)
from assay.cli import durations
from assay.cli.policy_files import requests_of
from assay.cli.policy_forms import differences, facts
from assay.errors import Invalid

WHOLE = """
name: production
description: All of it.
models: [churn]
stages: [production]
aliases: [champion]
tiers: [high, none]
steps:
  - id: validation
    seats: [{role: validator, count: 2}]
    independent_of: [registrant, trainer]
    survives_rejection: true
  - {id: ownership, seats: [{role: "approver:owner"}, {}]}
conditions:
  - {id: auc, expression: 'version.metrics["auc"] >= 0.9', description: Good.}
  - {id: bias, expression: 'has(attached.bias)', may_follow: true}
valid_for: 365d
recertify_before: 1d12h
open_for: 24h
reason_codes: [incident]
break_glass: {seats: [{role: owner}], review_within: 30m, valid_for: 45s}
on_end: previous
"""
SPEC = PolicySpec(
    description="All of it.",
    models=["churn"],
    stages=["production"],
    aliases=["champion"],
    tiers=["high", "none"],
    steps=[
        Step(
            id="validation",
            seats=[Seat(role="validator", count=2)],
            independent_of=[
                Independence.INDEPENDENCE_REGISTRANT,
                Independence.INDEPENDENCE_TRAINER,
            ],
            survives_rejection=True,
        ),
        Step(id="ownership", seats=[Seat(role="owner", count=1), Seat(count=1)]),
    ],
    conditions=[
        Condition(id="auc", expression='version.metrics["auc"] >= 0.9', description="Good."),
        Condition(id="bias", expression="has(attached.bias)", may_follow=True),
    ],
    valid_seconds=365 * 86400,
    recertify_before_seconds=129600,
    open_seconds=86400,
    reason_codes=["incident"],
    break_glass=BreakGlass(
        seats=[Seat(role="owner", count=1)], review_seconds=1800, valid_seconds=45
    ),
    on_end=OnEnd.ON_END_PREVIOUS,
)


def read(tmp_path: Path, text: str) -> PolicySpec:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    (request,) = requests_of(file, "default", "")
    return request.policy.spec


def test_every_part_of_a_policy_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == SPEC
    assert {name for name, _ in SPEC.ListFields()} >= {
        field for field in PolicySpec.DESCRIPTOR.fields if field.name != "quorum"
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("valid_for: 365d", "valid_for: soon", "valid_for must be a duration, as 365d"),
        ("valid_for: 365d", "valid_for: 0d", "valid_for must be a duration"),
        ("open_for: 24h", "open_for: 24", "open_for must be a duration"),
        ("open_for: 24h", "open_for: [24h]", "open_for must be a text or a number"),
        ("on_end: previous", "on_end: stay", "on_end must be out or previous."),
        ("[registrant, trainer]", "[boss]", "steps[0]: independent_of must be registrant or"),
        ("count: 2", "count: 65", "steps[0]: seats[0]: count must be 1 to 64 people."),
        ("[{role: validator, count: 2}]", "[]", "steps[0]: seats must say who signs"),
        ("id: validation", "id: Validation", "steps[0]: id must be 1 to 63"),
        ("may_follow: true", "may_follow: 1", "conditions[1]: may_follow must be true or false."),
        ("review_within", "reviewed", "break_glass: reviewed is not a field"),
    ],
)
def test_each_mistake_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in WHOLE
    with pytest.raises(Invalid) as refused:
        read(tmp_path, WHOLE.replace(old, new))
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("365d", 31536000),
        ("1d12h", 129600),
        ("1h1m1s", 3661),
        ("", None),
        ("1", None),
        ("1w", None),
    ],
)
def test_durations_are_read_and_written(text: str, seconds: int | None) -> None:
    assert durations.seconds_of(text) == seconds
    if seconds:
        assert durations.text_of(seconds) == text


@pytest.mark.parametrize("text", ["", "soon", "0d", "999999d99999999h"])
def test_a_loan_ends_at_a_time_that_there_is(text: str) -> None:
    with pytest.raises(Invalid, match="Give --for as a duration"):
        durations.time_after(text)


def test_what_differs_between_two_policies_is_told_part_by_part() -> None:
    changed = PolicySpec()
    changed.CopyFrom(SPEC)
    assert differences(SPEC, changed) == []
    changed.steps[0].seats[0].count = 1
    changed.valid_seconds = 0
    del changed.conditions[1]
    told = {name: (before, after) for name, before, after in differences(SPEC, changed)}
    assert set(told) == {"step 1 validation", "valid_for", "condition bias"}
    assert told["valid_for"] == ("365d", "")
    assert dict(facts(SPEC))["break_glass"] == "1 owner, reviewed within 30m, for 45s"
