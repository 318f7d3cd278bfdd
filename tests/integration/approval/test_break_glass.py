"""Break-glass: loud, short, and looked at before anything else is approved."""

from dataclasses import replace
from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import (
    ApprovalState,
    BreakGlass,
    Condition,
    Meaning,
    PolicySpec,
    Seat,
)
from assay_trust import dsse
from assay_trust.record import SIGNATURE_TYPE, SigningRecord
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.explained import explain
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


@pytest.mark.requirement("A4", "W10")
def test_who_breaks_the_glass_and_who_reviews_it_give_one_of_the_policys_codes(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    codes = ["incident", "founded"]
    version = court.ruled(PolicySpec(quorum=3, break_glass=EMERGENCY, reason_codes=codes))
    for code in ("", "weather"):
        with refused("BAD_REASON_CODE"):
            ann.ask(version, is_break_glass=True, code=code)
    with refused("REQUIRED"):
        ann.ask(version, is_break_glass=True, code="incident", reason=" ")
    asked = ann.ask(version, is_break_glass=True, code="incident")
    assert asked.reason_code == "incident"
    granted = bob.sign(asked.name)
    for code in ("", "weather"):
        with refused("BAD_REASON_CODE"):
            eve.review(granted.name, reason_code=code)
        with refused("BAD_REASON_CODE"):
            court.stub.ReviewBreakGlass(recoded(eve, granted.name, code), metadata=eve.metadata)
    assert not ann.get(granted.name, fresh(granted)).reviews
    (task,) = explain(ann, granted).tasks
    assert task.is_open
    assert "review the break-glass grant" in task.description
    assert task.principals  # the first of all approvers, of other tests too
    assert not {ann.name, bob.name} & set(task.principals)
    reviewed = eve.review(granted.name, reason_code="founded")
    (review,) = reviewed.reviews
    assert (review.signer, review.meaning) == (eve.name, Meaning.MEANING_REVIEWED)
    assert (review.reason_code, review.reason) == ("founded", "It was right.")
    assert review.HasField("sign_time")
    explained = explain(ann, reviewed)
    assert not explained.tasks
    assert list(explained.approval.reviews) == [review]
    assert not reviewed.HasField("review_due_time")
    assert ann.get(granted.name, fresh(reviewed)) == reviewed


@pytest.mark.requirement("A4")
def test_a_request_without_break_glass_bears_no_code(court: Court, ann: Caller) -> None:
    version = court.ruled(PolicySpec(quorum=1, reason_codes=["incident"]))
    with refused("BAD_REASON_CODE"):
        ann.ask(version, code="incident")
    assert not ann.ask(version).reason_code


def recoded(reviewer: Caller, approval: str, code: str) -> api.ReviewBreakGlassRequest:
    """Return a review that its reviewer signed with another code than was prepared."""
    prepared = reviewer.prepare(
        approval, Meaning.MEANING_REVIEWED, "It was right.", reason_code="founded"
    )
    record = replace(SigningRecord.from_bytes(prepared.record), reason_code=code).to_bytes()
    return api.ReviewBreakGlassRequest(
        name=approval,
        request_id=str(uuid4()),
        reason=prepared.reason,
        record=record,
        signature=dsse.sign(reviewer.person.pair.private, SIGNATURE_TYPE, record),
        printed_name=prepared.printed_name,
    )
