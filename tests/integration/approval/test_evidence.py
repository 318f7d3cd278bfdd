"""Conditions: met, unmet and erroneous ones, and evidence that may still follow."""

import grpc
import pytest

from assay.approval.v1.resources_pb2 import ApprovalState, Condition, PolicySpec
from assay.metadata.v1.resources_pb2 import Model
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused

GRANTED = ApprovalState.APPROVAL_STATE_GRANTED
GOOD = Condition(id="good", expression='version.metrics["accuracy"] >= 0.9')
BETTER = Condition(id="better", expression='version.metrics["accuracy"] >= 0.99')
MISSING = Condition(id="missing", expression='version.metrics["recall"] >= 0.5')
REPORT = Condition(
    id="report", expression='attached["bias-report"]["critical"] == "0"', may_follow=True
)


@pytest.mark.requirement("W6")
def test_what_is_met_is_told_and_asked_for(court: Court, ann: Caller, bob: Caller) -> None:
    version = court.ruled(PolicySpec(quorum=1, conditions=[GOOD]))
    asked = ann.ask(version)
    (told,) = asked.conditions
    assert told.is_satisfied
    assert told.name.endswith("/versions/1/conditions/good")
    granted = bob.sign(asked.name)
    assert court.check(version).approval == granted.name


@pytest.mark.requirement("W6")
@pytest.mark.parametrize("condition", [BETTER, MISSING], ids=["unmet", "erroneous"])
def test_what_is_not_met_or_fails_is_refused_by_name(
    court: Court, ann: Caller, condition: Condition
) -> None:
    version = court.ruled(PolicySpec(quorum=1, conditions=[GOOD, condition]))
    with pytest.raises(grpc.RpcError) as refusal:
        ann.ask(version)
    details = str(refusal.value)
    assert condition.id in details
    assert "good" not in details
    with refused("CONDITION_UNMET"):
        ann.ask(version)


@pytest.mark.requirement("W6")
def test_evidence_may_follow_before_the_last_signature(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.ruled(PolicySpec(quorum=1, conditions=[REPORT]))
    asked = ann.ask(version)
    assert [each.is_satisfied for each in asked.conditions] == [False]
    with refused("CONDITION_UNMET"):
        bob.sign(asked.name)
    worse = ann.attach(asked.name, "bias-report", critical="3")
    assert [each.is_satisfied for each in worse.conditions] == [False]
    with refused("CONDITION_UNMET"):
        bob.sign(asked.name)
    better = ann.attach(asked.name, "bias-report", critical="0")
    assert [each.is_satisfied for each in better.conditions] == [True]
    assert ann.get(asked.name, fresh(better)) == better
    granted = bob.sign(asked.name)
    assert granted.state == GRANTED
    assert court.check(version).approval == granted.name
    with refused("NOT_OPEN"):
        ann.attach(asked.name, "bias-report", critical="9")


@pytest.mark.requirement("W6")
def test_only_the_last_signature_waits_for_evidence(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    version = court.ruled(PolicySpec(quorum=2, conditions=[REPORT]))
    asked = ann.ask(version)
    assert len(bob.sign(asked.name).signatures) == 1
    with refused("CONDITION_UNMET"):
        eve.sign(asked.name)
    assert not court.check(version).approval
    ann.attach(asked.name, "bias-report", critical="0")
    assert eve.sign(asked.name).state == GRANTED
    assert court.check(version).approval == asked.name


@pytest.mark.requirement("W6")
def test_later_evidence_that_speaks_against_it_takes_the_earlier_ones_place(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.ruled(PolicySpec(quorum=1, conditions=[REPORT]))
    asked = ann.ask(version)
    ann.attach(asked.name, "bias-report", critical="0")
    again = ann.attach(asked.name, "bias-report", critical="3")
    assert [each.is_satisfied for each in again.conditions] == [False]
    with refused("CONDITION_UNMET"):
        bob.sign(asked.name)


@pytest.mark.requirement("W6")
def test_evidence_that_says_nothing_is_refused(court: Court, ann: Caller) -> None:
    asked = ann.ask(court.governed())
    with refused("REQUIRED"):
        ann.attach(asked.name, "bias-report")
    with refused("MALFORMED"):
        ann.attach(asked.name, "Bias Report", critical="0")


@pytest.mark.requirement("W8")
def test_a_policy_of_a_tier_governs_the_models_of_that_tier(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.ruled(PolicySpec(quorum=1, tiers=["high"]))
    with refused("NOT_GOVERNED"):
        ann.ask(version)
    model = version.rpartition("/versions/")[0]
    court.versions.models[model] = Model(name=model, tier="high")
    assert bob.sign(ann.ask(version).name).state == GRANTED
