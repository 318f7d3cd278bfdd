"""How approvals end: by people, by the clock, and by a change of what they are about."""

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from assay.approval.v1.events_pb2 import RecertificationDue
from assay.approval.v1.resources_pb2 import Approval, ApprovalState, PolicySpec
from assay.metadata.v1.events_pb2 import ModelVersionArchived, ModelVersionUpdated
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay_approval.domain.approval import APPROVAL
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused
from tests.support.scribe import OWNER
from tests.unit.assay_approval.people import Person

OPEN, GRANTED = ApprovalState.APPROVAL_STATE_OPEN, ApprovalState.APPROVAL_STATE_GRANTED
WITHDRAWN, EXPIRED = ApprovalState.APPROVAL_STATE_WITHDRAWN, ApprovalState.APPROVAL_STATE_EXPIRED
REVOKED = ApprovalState.APPROVAL_STATE_REVOKED
SUSPENDED, VOIDED = ApprovalState.APPROVAL_STATE_SUSPENDED, ApprovalState.APPROVAL_STATE_VOIDED


class Owner(Caller):
    """The owner of the deployment, who has no roles."""

    @property
    def name(self) -> str:
        return f"principals/{OWNER}"


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until the condition is true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def is_now(caller: Caller, asked: Approval, state: ApprovalState.ValueType) -> Callable[[], bool]:
    return lambda: caller.get(asked.name, fresh(asked)).state == state


def test_who_asked_takes_it_back_and_nobody_signs_it_then(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed())
    with refused("NOT_ALLOWED"):
        bob.withdraw(asked.name)
    prepared = bob.request_to_sign(asked.name)
    assert ann.withdraw(asked.name).state == WITHDRAWN
    with refused("NOT_OPEN"):
        court.stub.SignApproval(prepared, metadata=bob.metadata)
    with refused("NOT_OPEN"):
        ann.withdraw(asked.name)


@pytest.mark.requirement("W1", "W9")
@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("approver:risk", True),
        ("policy-admin", True),
        ("reader", False),
        ("contributor", False),
        ("deployer", False),
        ("auditor", False),
        ("admin", False),
    ],
)
def test_an_approver_and_a_policy_admin_end_a_grant(
    court: Court, ann: Caller, bob: Caller, *, role: str, may: bool
) -> None:
    approval = bob.sign(ann.ask(court.governed()).name)
    someone = court.someone(roles=[role])
    if may:
        ends_it(someone, approval)
        return
    words = "Ask for approver:<role> or policy-admin at"
    for end in (someone.suspend, someone.revoke):
        with refused("ROLE_REQUIRED", words):
            end(approval.name)
    assert court.check(approval.version).approval == approval.name
    bob.suspend(approval.name)
    with refused("ROLE_REQUIRED", words):
        someone.resume(approval.name)
    assert ann.get(approval.name).state == SUSPENDED


@pytest.mark.requirement("W1", "W9")
def test_the_owner_ends_a_grant(court: Court, ann: Caller, bob: Caller) -> None:
    ends_it(Owner(court, Person("owner")), bob.sign(ann.ask(court.governed()).name))


def ends_it(someone: Caller, approval: Approval) -> None:
    """Suspend a grant, resume it, and revoke it."""
    assert someone.suspend(approval.name).state == SUSPENDED
    assert someone.resume(approval.name).state == GRANTED
    assert someone.revoke(approval.name).state == REVOKED


@pytest.mark.requirement("W8")
def test_an_approval_that_is_open_for_too_long_is_not_signed(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.ruled(PolicySpec(quorum=1, open_seconds=6)))
    assert asked.HasField("expire_time")
    prepared = bob.request_to_sign(asked.name)
    wait_for(is_now(ann, asked, EXPIRED))
    with refused("NOT_OPEN"):
        court.stub.SignApproval(prepared, metadata=bob.metadata)
    assert ann.get(asked.name).end_code == "expired"


@pytest.mark.requirement("W8")
def test_a_grant_ends_by_itself(court: Court, ann: Caller, bob: Caller) -> None:
    asked = ann.ask(court.ruled(PolicySpec(quorum=1, valid_seconds=6)))
    granted = bob.sign(asked.name)
    assert granted.state == GRANTED
    assert granted.HasField("expire_time")
    wait_for(lambda: not court.check(asked.version, asked.name).approval)
    wait_for(is_now(ann, granted, EXPIRED))


@pytest.mark.requirement("W8")
async def test_a_grant_that_ends_soon_is_said_to_be_renewed_once(
    court: Court, ann: Caller, bob: Caller
) -> None:
    spec = PolicySpec(quorum=1, valid_seconds=3600, recertify_before_seconds=3599)
    granted = bob.sign(ann.ask(court.ruled(spec)).name)
    assert granted.HasField("recertify_time")
    async with court.scribe() as scribe:
        store, subject = scribe.stores["approval"], APPROVAL.subject(granted.name)
        kind = RecertificationDue.DESCRIPTOR.full_name

        async def said() -> int:
            return sum(each.type == kind for each in await store.read_subject(subject))

        until = time.monotonic() + 30
        while not await said():
            assert time.monotonic() < until
        await asyncio.sleep(1.2)  # the clock has looked again by then
        assert await said() == 1
    assert ann.get(granted.name).state == GRANTED


@pytest.mark.requirement("W9")
def test_a_suspended_grant_lets_nothing_in_until_it_is_resumed(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    granted = bob.sign(ann.ask(court.governed()).name)
    with refused("NOT_GRANTED"):
        eve.resume(granted.name)
    suspended = eve.suspend(granted.name)
    assert suspended.state == SUSPENDED
    for name in ("", granted.name):
        assert not court.check(granted.version, name).approval
    resumed = eve.resume(granted.name)
    assert resumed.state == GRANTED
    for name in ("", granted.name):
        assert court.check(granted.version, name).approval == granted.name
    eve.suspend(granted.name)
    assert eve.revoke(granted.name).state == ApprovalState.APPROVAL_STATE_REVOKED
    with refused("NOT_GRANTED"):
        eve.resume(granted.name)


@pytest.mark.requirement("W1")
def test_only_who_approves_there_ends_a_grant(court: Court, ann: Caller, bob: Caller) -> None:
    granted = bob.sign(ann.ask(court.governed()).name)
    other = court.someone(roles=())
    court.give(other.name, "approver:validator", "namespaces/default/models/other")
    with refused("ROLE_REQUIRED"):
        other.revoke(granted.name)
    with refused("ROLE_REQUIRED"):
        other.suspend(granted.name)


@pytest.mark.requirement("A4")
def test_a_reason_has_one_of_the_policys_codes(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    version = court.ruled(PolicySpec(quorum=1, reason_codes=["drift", "bias"]))
    asked = ann.ask(version)
    for code in ("", "weather"):
        with refused("BAD_REASON_CODE"):
            bob.reject(asked.name, "No.", reason_code=code)
    rejected = bob.reject(asked.name, "No.", reason_code="bias")
    assert rejected.signatures[0].reason_code == "bias"
    granted = bob.sign(ann.ask(version).name)
    with refused("BAD_REASON_CODE"):
        eve.suspend(granted.name)
    with refused("BAD_REASON_CODE"):
        eve.revoke(granted.name, code="weather")
    with refused("REQUIRED"):
        eve.revoke(granted.name, " ", code="drift")
    revoked = eve.revoke(granted.name, code="drift")
    assert revoked.end_code == "drift"
    assert ann.get(granted.name, fresh(revoked)) == revoked


@pytest.mark.requirement("S9")
async def test_a_change_of_the_version_voids_its_approvals(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.governed()
    waiting, granted = ann.ask(version), bob.sign(ann.ask(version).name)
    prepared = bob.request_to_sign(waiting.name)
    event = ModelVersionUpdated(name=version)
    event.update_mask.paths.append("card")
    async with court.scribe() as scribe:
        await scribe.write(event)
    for approval in (waiting, granted):
        wait_for(is_now(ann, approval, VOIDED))
    assert ann.get(granted.name).end_code == "card"
    with refused("NOT_OPEN"):
        court.stub.SignApproval(prepared, metadata=bob.metadata)
    assert not court.check(version, granted.name).approval


@pytest.mark.requirement("S9")
def test_a_change_while_the_approval_is_asked_for_voids_it(court: Court, ann: Caller) -> None:
    version = court.governed()
    changed = ModelVersion()
    changed.CopyFrom(court.versions.known[version])
    changed.tags["audience"] = "everybody"
    court.versions.next[version] = {version: changed}
    asked = ann.ask(version)
    assert (asked.state, asked.end_code) == (VOIDED, "tags")
    assert ann.ask(version).state == OPEN


@pytest.mark.requirement("S9")
async def test_the_archiving_of_the_version_voids_and_other_changes_do_not(
    court: Court, ann: Caller, bob: Caller
) -> None:
    granted = bob.sign(ann.ask(court.governed()).name)
    kept = bob.sign(ann.ask(court.governed()).name)
    harmless = ModelVersionUpdated(name=kept.version)
    harmless.update_mask.paths.append("description")
    async with court.scribe() as scribe:
        await scribe.write(harmless)
        await scribe.write(ModelVersionArchived(name=granted.version))
    wait_for(is_now(ann, granted, VOIDED))
    assert court.check(kept.version, kept.name).approval == kept.name


@pytest.mark.requirement("W9")
def test_an_unknown_approval_ends_in_no_way(court: Court, ann: Caller) -> None:
    unknown = f"namespaces/default/approvals/{uuid4()}"
    for end in (ann.withdraw, ann.suspend, ann.resume, ann.revoke):
        with refused("NOT_FOUND"):
            end(unknown)
    assert court.check(court.governed(), unknown).is_governed
