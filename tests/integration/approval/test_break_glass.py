"""Break-glass: loud, short, and looked at before anything else is approved."""

import pytest

from assay.approval.v1.resources_pb2 import ApprovalState, BreakGlass, Condition, PolicySpec, Seat
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused

GRANTED = ApprovalState.APPROVAL_STATE_GRANTED
EMERGENCY = BreakGlass(
    seats=[Seat(role="validator", count=1)], review_seconds=3600, valid_seconds=600
)


@pytest.mark.requirement("W10")
def test_a_break_glass_grant_is_short_and_blocks_until_it_is_reviewed(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    version = court.ruled(PolicySpec(quorum=3, break_glass=EMERGENCY))
    asked = ann.ask(version, is_break_glass=True)
    assert (asked.is_break_glass, asked.quorum) == (True, 1)
    granted = bob.sign(asked.name)
    assert granted.state == GRANTED
    assert granted.HasField("review_due_time")
    assert granted.expire_time.seconds - granted.grant_time.seconds <= 601
    assert court.check(version).approval == granted.name
    with refused("REVIEW_DUE"):
        ann.ask(version)
    with refused("REVIEW_DUE"):
        ann.ask(version, is_break_glass=True)
    for involved in (ann, bob):
        with refused("SELF_APPROVAL"):
            involved.review(granted.name)
    with refused("REQUIRED"):
        eve.review(granted.name, " ")
    reviewed = eve.review(granted.name)
    assert not reviewed.HasField("review_due_time")
    assert ann.get(granted.name, fresh(reviewed)) == reviewed
    assert court.check(version).approval == granted.name
    assert ann.ask(version).quorum == 3
    with refused("NOT_OPEN"):
        eve.review(granted.name)


@pytest.mark.requirement("W10", "W3")
def test_who_signed_reviews_by_no_second_account(court: Court, ann: Caller, bob: Caller) -> None:
    second = court.someone()
    court.link(second, bob)
    granted = bob.sign(
        ann.ask(court.ruled(PolicySpec(quorum=3, break_glass=EMERGENCY)), is_break_glass=True).name
    )
    with refused("SELF_APPROVAL"):
        second.review(granted.name)


@pytest.mark.requirement("W10", "A4")
def test_break_glass_is_only_where_the_policy_knows_it(court: Court, ann: Caller) -> None:
    with refused("NOT_ALLOWED"):
        ann.ask(court.governed(), is_break_glass=True)


@pytest.mark.requirement("W10")
def test_break_glass_passes_conditions_by_and_shows_that_they_are_not_met(
    court: Court, ann: Caller, bob: Caller
) -> None:
    unmet = Condition(id="tier", expression='model.tier == "no such tier"')
    version = court.ruled(PolicySpec(quorum=3, break_glass=EMERGENCY, conditions=[unmet]))
    with refused("CONDITION_UNMET"):
        ann.ask(version)
    granted = bob.sign(ann.ask(version, is_break_glass=True).name)
    assert granted.state == GRANTED
    assert [each.is_satisfied for each in granted.conditions] == [False]
    assert court.check(version).approval == granted.name
