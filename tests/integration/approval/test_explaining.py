"""Who still has to do what, and what another policy would have made of the past."""

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import (
    ApprovalState,
    Condition,
    PolicySpec,
    Seat,
    Step,
)
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.explained import explain
from tests.integration.approval.refusals import fresh
from tests.support.scribe import OWNER

OPEN, GRANTED = ApprovalState.APPROVAL_STATE_OPEN, ApprovalState.APPROVAL_STATE_GRANTED
ONE_THEN_ONE = PolicySpec(
    steps=[
        Step(id="validation", seats=[Seat(role="chemist", count=1)]),
        Step(id="legal", seats=[Seat(role="legal", count=1)]),
    ],
    conditions=[
        Condition(id="report", expression='has(attached.report) && attached.report["ok"] == "yes"')
    ],
)
ONE_THEN_ONE.conditions[0].may_follow = True


@pytest.mark.requirement("W2", "W4")
def test_it_is_told_who_still_has_to_do_what(court: Court, ann: Caller, bob: Caller) -> None:
    lee = court.someone(roles=["approver:legal"])
    court.give(ann.name, "approver:chemist")
    court.give(bob.name, "approver:chemist")
    asked = ann.ask(court.ruled(ONE_THEN_ONE))
    told = explain(ann, asked)
    assert told.approval == asked
    report, validation, legal = told.tasks
    assert report.description.startswith("Attach evidence for report: ")
    assert validation.description.startswith("1 chemist has to sign step validation of ")
    assert bob.name in validation.principals
    assert ann.name not in validation.principals  # she asked
    assert lee.name not in validation.principals
    assert [each.is_open for each in told.tasks] == [True, True, False]
    assert not legal.principals

    ann.attach(asked.name, "report", ok="yes")
    signed = bob.sign(asked.name)
    (last,) = explain(ann, signed).tasks
    assert (list(last.principals), last.is_open) == ([lee.name], True)
    granted = lee.sign(asked.name)
    assert granted.state == GRANTED
    assert not explain(ann, granted).tasks


def simulate(court: Court, version: str, spec: PolicySpec) -> dict[str, api.Flip]:
    """Return how the approvals of a version's model would have come out."""
    spec.models.append(version.split("/")[3])
    spec.stages.append("production")
    policy_id = court.check(version).policies[0].name.split("/")[3]
    request = api.SimulatePolicyRequest(parent=NAMESPACE, policy_id=policy_id, spec=spec)
    answer = court.stub.SimulatePolicy(request, metadata=court.user(OWNER))
    assert answer.approval_count >= answer.flip_count
    return {flip.approval: flip for flip in answer.flips}


@pytest.mark.requirement("W11")
def test_a_simulation_tells_what_would_flip_and_writes_nothing(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    version = court.governed()
    once = bob.sign(ann.ask(version).name)
    rejected = eve.reject(ann.ask(version).name, "It drifts.")
    ann.get(rejected.name, fresh(rejected))
    stricter = simulate(court, version, PolicySpec(quorum=2))
    flip = stricter[once.name]
    assert (flip.state, flip.simulated_state) == (GRANTED, OPEN)
    assert flip.detail == "Step approval would have 1 of 2 signatures of any approver."
    assert rejected.name not in stricter
    assert once.name not in simulate(court, version, PolicySpec(quorum=1))
    unmet = PolicySpec(quorum=1)
    unmet.conditions.add(id="perfect", expression='version.metrics["accuracy"] >= 1.0')
    assert "perfect" in simulate(court, version, unmet)[once.name].detail
    lenient = PolicySpec(steps=[Step(id="a", seats=[Seat(count=1)], survives_rejection=True)])
    assert simulate(court, version, lenient)[rejected.name].simulated_state == OPEN
    assert court.check(version).approval == once.name
