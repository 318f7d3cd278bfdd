"""Who had a part in it does not count, by whatever account or loan: through real servers."""

import pytest

from assay.approval.v1.resources_pb2 import (
    ApprovalState,
    Independence,
    PolicySpec,
    Seat,
    Step,
)
from assay.lineage.v1.resources_pb2 import Run
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import refused

GRANTED = ApprovalState.APPROVAL_STATE_GRANTED
TRAINER = Independence.INDEPENDENCE_TRAINER
REGISTRANT = Independence.INDEPENDENCE_REGISTRANT


@pytest.mark.requirement("W3", "S5")
def test_two_accounts_of_a_person_count_once(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    second = court.someone()
    court.link(bob, second)
    asked = ann.ask(court.governed(2))
    bob.sign(asked.name)
    with refused("ALREADY_SIGNED"):
        second.sign(asked.name)
    assert eve.sign(asked.name).state == GRANTED


@pytest.mark.requirement("W3")
def test_the_submitter_signs_by_no_second_account(court: Court, ann: Caller) -> None:
    second = court.someone()
    court.link(second, ann)
    asked = ann.ask(court.governed())
    with refused("SELF_APPROVAL"):
        second.sign(asked.name)


@pytest.mark.requirement("W3")
def test_the_submitter_signs_through_nobody_else(court: Court, ann: Caller) -> None:
    friend = court.someone(roles=())
    ann.lend(friend, court.give(ann.name, "approver:risk").name)
    asked = ann.ask(court.governed())
    with refused("SELF_APPROVAL"):
        friend.sign(asked.name, delegator=ann.name)


@pytest.mark.requirement("W3")
def test_who_registered_the_version_does_not_count_where_the_step_says_so(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    step = Step(id="one", seats=[Seat(count=1)], independent_of=[REGISTRANT])
    version = court.ruled(PolicySpec(steps=[step]))
    court.versions.known[version].creator = bob.name
    asked = ann.ask(version)
    with refused("NOT_INDEPENDENT"):
        bob.sign(asked.name)
    assert eve.sign(asked.name).state == GRANTED


@pytest.mark.requirement("W3")
def test_who_trained_the_version_or_what_it_was_made_from_does_not_count(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    dan = court.someone()
    step = Step(id="one", seats=[Seat(count=1)], independent_of=[TRAINER])
    version = court.ruled(PolicySpec(steps=[step]))
    parent = court.register()
    for name, trainer in ((version, bob), (parent, eve)):
        run = f"{NAMESPACE}/runs/r{trainer.name.rpartition('/')[2]}"
        court.versions.runs[run] = Run(name=run, creator=trainer.name)
        court.versions.known[name].run = run
    court.versions.known[version].parent_versions.append(parent)
    asked = ann.ask(version)
    assert list(asked.trainers) == [bob.name, eve.name]
    for trainer in (bob, eve):
        with refused("NOT_INDEPENDENT"):
            trainer.sign(asked.name)
    granted = dan.sign(asked.name)
    assert court.check(version).approval == granted.name
