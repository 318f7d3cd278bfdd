"""CheckGrant: for what a grant is, how long, and what it needs to be checked."""

import time

import grpc
import pytest

from assay.approval.v1.resources_pb2 import (
    Approval,
    ApprovalState,
)
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused

OTHER_DIGEST = "sha256:" + "cd" * 32


def granted(court: Court, ann: Caller, bob: Caller) -> Approval:
    return bob.sign(ann.ask(court.governed()).name)


def test_a_grant_is_for_its_version_digest_and_target_only(
    court: Court, ann: Caller, bob: Caller
) -> None:
    approval = granted(court, ann, bob)
    model = approval.version.rpartition("/versions/")[0]
    other = court.register(2, model)
    for name in ("", approval.name):
        assert court.check(approval.version, name).approval == approval.name
        assert not court.check(approval.version, name, digest=OTHER_DIGEST).approval
        assert not court.check(other, name).approval
    court.publish(model, 1)
    elsewhere = court.check(approval.version, approval.name, target=f"{model}/stages/staging")
    assert not elsewhere.is_governed
    assert not elsewhere.approval


def test_a_revoked_grant_lets_nothing_in(court: Court, ann: Caller, bob: Caller) -> None:
    approval = granted(court, ann, bob)
    ann.revoke(approval.name)
    for name in ("", approval.name):
        answer = court.check(approval.version, name)
        assert answer.is_governed
        assert not answer.approval


def test_what_a_key_signed_before_its_revocation_stays_valid(
    court: Court, ann: Caller, bob: Caller
) -> None:
    approval = granted(court, ann, bob)
    bob.revoke_key()
    assert court.check(approval.version, approval.name).approval == approval.name


def test_a_policy_added_later_voids_the_grant(court: Court, ann: Caller, bob: Caller) -> None:
    approval = granted(court, ann, bob)
    court.publish(approval.version, 1)
    for name in ("", approval.name):
        assert not court.check(approval.version, name).approval


def test_a_newer_version_of_a_pinned_policy_does_not_void_the_grant(
    court: Court, ann: Caller, bob: Caller
) -> None:
    approval = granted(court, ann, bob)
    policy_id = approval.policies[0].name.split("/")[3]
    court.publish(approval.version, 2, policy_id)
    assert court.check(approval.version, approval.name).approval == approval.name


def test_an_unknown_approval_is_no_grant(court: Court) -> None:
    version = court.governed()
    unknown = f"{NAMESPACE}/approvals/5f2a0000-0000-4000-8000-000000000001"
    assert not court.check(version, unknown).approval
    with refused("MALFORMED"):
        court.check(version, "nonsense")


def test_of_several_grants_a_live_one_is_found(court: Court, ann: Caller, bob: Caller) -> None:
    version = court.governed()
    first, second = (bob.sign(ann.ask(version).name) for _ in range(2))
    ann.revoke(second.name)
    assert court.check(version).approval == first.name


@pytest.mark.requirement("A1")
def test_the_rebuilt_tables_equal_the_live_ones(court: Court, ann: Caller, bob: Caller) -> None:
    approval = granted(court, ann, bob)
    ann.get(approval.name, fresh(approval))
    checked = court.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    rebuilt = court.run("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert ann.get(approval.name, fresh(approval)) == approval


@pytest.mark.slow
def test_without_postgres_a_named_grant_is_checked_and_nothing_is_called_ungoverned(
    court: Court, ann: Caller, bob: Caller
) -> None:
    approval, waiting = granted(court, ann, bob), ann.ask(court.governed())
    court.database.server.stop()
    try:
        assert court.check(approval.version, approval.name).approval == approval.name
        with pytest.raises(grpc.RpcError) as away:
            court.check(approval.version)
        assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        assert bob.sign(waiting.name).state == ApprovalState.APPROVAL_STATE_GRANTED
        with refused("PROJECTION_BEHIND"):  # whether a break-glass grant waits for its review
            ann.ask(approval.version, timeout=5)
    finally:
        court.database.server.start()
    _eventually_reads(ann, approval)


@pytest.mark.slow
def test_without_nats_nothing_is_granted(court: Court, ann: Caller, bob: Caller) -> None:
    approval = granted(court, ann, bob)
    court.bus.server.stop()
    try:
        for name in ("", approval.name):
            with refused("UNAVAILABLE"):
                court.check(approval.version, name)
    finally:
        court.bus.server.start()
    _eventually_reads(ann, approval)


def _eventually_reads(caller: Caller, approval: Approval) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            found = caller.court.check(approval.version, approval.name).approval
            assert found == approval.name
            assert caller.get(approval.name, fresh(approval)) == approval
            caller.court.someone()
        except grpc.RpcError:
            assert time.monotonic() < until
            time.sleep(0.2)
        else:
            return
