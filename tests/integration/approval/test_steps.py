"""Steps in their order, seats by role, and people who count once: through real servers."""

from datetime import UTC, datetime

import grpc
import pytest

from assay.approval.v1.resources_pb2 import (
    Approval,
    ApprovalState,
    PolicySpec,
    Seat,
    Step,
)
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, reason_of, refused
from tests.integration.approval.test_endings import wait_for

OPEN, GRANTED = ApprovalState.APPROVAL_STATE_OPEN, ApprovalState.APPROVAL_STATE_GRANTED
TWO_STEPS = PolicySpec(
    steps=[
        Step(id="validation", seats=[Seat(role="validator", count=1)]),
        Step(id="business", seats=[Seat(role="risk", count=2)]),
    ]
)


def taken(approval: Approval) -> dict[str, list[str]]:
    """Return who sits on the seats of each step."""
    return {seat.step: list(seat.signers) for seat in approval.seats}


@pytest.fixture
def rae(court: Court) -> Caller:
    return court.someone(roles=["approver:risk"])


@pytest.fixture
def roy(court: Court) -> Caller:
    return court.someone(roles=["approver:risk"])


@pytest.mark.requirement("W2", "W4")
def test_a_step_is_signed_once_the_one_before_is_complete(
    court: Court, ann: Caller, bob: Caller, rae: Caller, roy: Caller
) -> None:
    asked = ann.ask(court.ruled(TWO_STEPS))
    assert asked.quorum == 3
    with refused("STEP_NOT_OPEN"):
        rae.sign(asked.name)
    with refused("STEP_NOT_OPEN"):
        rae.prepare(asked.name, step="business")
    bob.sign(asked.name)
    once = rae.sign(asked.name)
    assert taken(once) == {"validation": [bob.name], "business": [rae.name]}
    assert once.state == OPEN
    granted = roy.sign(asked.name)
    assert granted.state == GRANTED
    assert [each.step for each in granted.signatures] == ["validation", "business", "business"]
    assert court.check(granted.version).approval == granted.name
    assert ann.get(asked.name, fresh(granted)) == granted


@pytest.mark.requirement("W4", "W1")
def test_a_seat_is_for_its_role(court: Court, ann: Caller, rae: Caller) -> None:
    asked = ann.ask(court.governed())
    assert rae.sign(asked.name).state == GRANTED  # a quorum takes any approver
    only = PolicySpec(steps=[Step(id="one", seats=[Seat(role="validator", count=1)])])
    asked = ann.ask(court.ruled(only))
    with refused("STEP_NOT_OPEN"):
        rae.sign(asked.name)
    with refused("ROLE_REQUIRED"):
        rae.sign(asked.name, role="validator")


@pytest.mark.requirement("W1")
def test_a_role_signs_where_it_holds(court: Court, ann: Caller) -> None:
    version = court.governed()
    model = version.rpartition("/versions/")[0]
    here, there = court.someone(roles=()), court.someone(roles=())
    court.give(here.name, "approver:validator", f"{model}/stages/production")
    court.give(there.name, "approver:validator", f"{model}/stages/staging")
    asked = ann.ask(version)
    with refused("ROLE_REQUIRED"):
        there.sign(asked.name)
    granted = here.sign(asked.name)
    assert court.check(version).approval == granted.name


@pytest.mark.requirement("W3", "W4")
def test_a_person_under_two_roles_counts_once(
    court: Court, ann: Caller, bob: Caller, rae: Caller, roy: Caller
) -> None:
    court.give(bob.name, "approver:risk")
    asked = ann.ask(court.ruled(TWO_STEPS))
    bob.sign(asked.name, role="validator")
    with refused("ALREADY_SIGNED"):
        bob.sign(asked.name, role="risk")
    rae.sign(asked.name)
    assert roy.sign(asked.name).state == GRANTED


@pytest.mark.requirement("W1", "W3")
def test_a_lent_role_signs_until_it_is_taken_back_and_is_not_lent_on(
    court: Court, ann: Caller, bob: Caller
) -> None:
    friend, other = court.someone(roles=()), court.someone(roles=())
    own = court.give(bob.name, "approver:risk")
    lent = bob.lend(friend, own.name)
    assert (lent.delegator, lent.role) == (bob.name, "approver:risk")
    with refused("NOT_DELEGABLE"):
        friend.lend(other, lent.name)
    signed = friend.sign(ann.ask(court.governed()).name, delegator=bob.name)
    assert signed.state == GRANTED
    assert signed.signatures[0].delegator == bob.name
    assert court.check(signed.version).approval == signed.name
    asked = ann.ask(court.governed())
    court.take(own)
    with refused("ROLE_REQUIRED"):
        friend.sign(asked.name, delegator=bob.name)


@pytest.mark.requirement("W1")
def test_a_loan_ends_by_itself(court: Court, ann: Caller, bob: Caller) -> None:
    friend = court.someone(roles=())
    lent = bob.lend(friend, court.give(bob.name, "approver:risk").name, seconds=1)
    asked = ann.ask(court.governed())
    wait_for(lambda: datetime.now(UTC) > lent.expire_time.ToDatetime(tzinfo=UTC))
    with pytest.raises(grpc.RpcError) as refusal:
        friend.sign(asked.name, delegator=bob.name)
    assert reason_of(refusal.value) in {"ROLE_REQUIRED", "RIGHT_REQUIRED"}


@pytest.mark.requirement("W1")
def test_a_loan_that_ended_is_listed_no_more_and_the_role_is_lent_anew(
    court: Court, ann: Caller, bob: Caller
) -> None:
    friend, own = court.someone(roles=()), court.give(bob.name, "approver:risk")
    lent = bob.lend(friend, own.name, seconds=1)
    wait_for(lambda: datetime.now(UTC) > lent.expire_time.ToDatetime(tzinfo=UTC))
    assert not court.roles(friend.name, lent)
    revision = int(lent.etag.strip('"'))
    assert [role.name for role in court.roles(friend.name, lent, revision)] == [lent.name]
    anew = bob.lend(friend, own.name)
    assert anew.expire_time.seconds > lent.expire_time.seconds
    assert [role.expire_time for role in court.roles(friend.name, anew)] == [anew.expire_time]
    signed = friend.sign(ann.ask(court.governed()).name, delegator=bob.name)
    assert signed.state == GRANTED


@pytest.mark.requirement("W1")
def test_who_loses_the_role_before_completion_does_not_count(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    dan = court.someone(roles=())
    role = court.give(dan.name, "approver:validator")
    asked = ann.ask(court.governed(2))
    dan.sign(asked.name)
    court.take(role)
    once = bob.sign(asked.name)
    assert (once.state, taken(once)) == (OPEN, {"approval": [bob.name]})
    granted = eve.sign(asked.name)
    assert granted.state == GRANTED
    assert taken(granted) == {"approval": [bob.name, eve.name]}
    assert court.check(granted.version).approval == granted.name


@pytest.mark.requirement("W1", "S7")
def test_who_loses_the_key_before_completion_does_not_count(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    dan = court.someone()
    asked = ann.ask(court.governed(2))
    dan.sign(asked.name)
    dan.revoke_key()
    once = bob.sign(asked.name)
    assert (once.state, taken(once)) == (OPEN, {"approval": [bob.name]})
    granted = eve.sign(asked.name)
    assert court.check(granted.version).approval == granted.name


@pytest.mark.requirement("W1", "S7")
def test_what_was_signed_stays_signed_when_role_and_key_go_after_completion(
    court: Court, ann: Caller
) -> None:
    dan = court.someone(roles=())
    role = court.give(dan.name, "approver:validator")
    granted = dan.sign(ann.ask(court.governed()).name)
    court.take(role)
    dan.revoke_key()
    assert court.check(granted.version).approval == granted.name
    assert taken(ann.get(granted.name, fresh(granted))) == {"approval": [dan.name]}


@pytest.mark.requirement("W11")
def test_the_policy_of_an_open_approval_stays_what_it_was(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.register()
    policy = court.publish(version)
    asked = ann.ask(version)
    court.publish(version, 2, policy.name.rpartition("/")[2])
    granted = bob.sign(asked.name)
    assert granted.state == GRANTED
    assert [each.digest for each in granted.policies] == [policy.digest]
    assert court.check(version).approval == granted.name


@pytest.mark.requirement("S2")
def test_a_signature_fits_no_other_version_digest_or_policy(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.register()
    model = version.rpartition("/versions/")[0]
    policy = court.publish(version)
    signed = bob.request_to_sign(ann.ask(version).name)
    others = [ann.ask(court.register(2, model))]
    court.versions.known[version].manifest_digest = "sha256:" + "cd" * 32
    others.append(ann.ask(version))
    court.versions.known[version].manifest_digest = "sha256:" + "ab" * 32
    court.publish(version, 2, policy.name.rpartition("/")[2])
    others.append(ann.ask(version))
    for other in others:
        signed.name = other.name
        with refused("BAD_SIGNATURE"):
            court.stub.SignApproval(signed, metadata=bob.metadata)


@pytest.mark.requirement("W2")
def test_a_rejection_closes_the_approval_unless_its_step_survives_it(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    step = Step(id="one", seats=[Seat(count=1)], survives_rejection=True)
    asked = ann.ask(court.ruled(PolicySpec(steps=[step])))
    assert bob.reject(asked.name, "I doubt it.").state == OPEN
    granted = eve.sign(asked.name)
    assert granted.state == GRANTED
    assert court.check(granted.version).approval == granted.name
    asked = ann.ask(court.governed(2))
    rejected = bob.reject(asked.name, "It drifts.")
    assert rejected.state == ApprovalState.APPROVAL_STATE_REJECTED
    with refused("NOT_OPEN"):
        eve.sign(asked.name)
