"""CheckGrant counts everything again, and believes nothing that was put there without a key."""

import time

import grpc
import pytest

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
    KeyEnrolled,
    PolicyPublished,
    PrincipalCreated,
)
from assay.approval.v1.resources_pb2 import Approval, ApprovalState, PolicyRef, PolicySpec
from assay_approval.signatures import policy_digest
from assay_events import token
from assay_trust import digests, dsse
from assay_trust.record import SIGNATURE_TYPE
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused
from tests.unit.assay_approval.people import Person

OPEN = ApprovalState.APPROVAL_STATE_OPEN
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


def to_event(asked: Approval) -> ApprovalRequested:
    """Return a request like that of an approval, under a weaker policy than it names."""
    evidence = b"{}"
    return ApprovalRequested(
        name=asked.name,
        version=asked.version,
        manifest_digest=asked.manifest_digest,
        target=asked.target,
        policies=asked.policies,
        quorum=asked.quorum,
        submitter=asked.submitter,
        nonce=asked.nonce,
        registrant=asked.registrant,
        trainers=asked.trainers,
        evidence=evidence,
        evidence_digest=digests.sha256(evidence),
        specs=[PolicySpec(models=["*"], stages=["*"], quorum=1)],
    )


def grant_event(asked: Approval) -> ApprovalGranted:
    return ApprovalGranted(
        name=asked.name,
        version=asked.version,
        manifest_digest=asked.manifest_digest,
        target=asked.target,
    )


def signature_by(caller: Caller, approval: str) -> ApprovalSigned:
    """Return the event of a signature that holds, without the service having seen it."""
    request = caller.request_to_sign(approval)
    return ApprovalSigned(
        name=approval,
        signer=caller.name,
        key=caller.person.key,
        public_key=caller.person.pair.public,
        record=request.record,
        signature=request.signature,
        printed_name=request.printed_name,
    )


async def test_a_bogus_grant_counts_nowhere(court: Court, ann: Caller) -> None:
    asked = ann.ask(court.governed())
    async with court.scribe() as scribe:
        revision = await scribe.write(grant_event(asked))
    assert ann.get(asked.name, token.encode(revision)).state == OPEN
    for name in ("", asked.name):
        assert not court.check(asked.version, name).approval


async def test_a_signature_under_a_key_that_was_never_enrolled_counts_nowhere(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed())
    thief = Person("thief")
    event = signature_by(bob, asked.name)
    key = f"{bob.name}/keys/{thief.key.rpartition('/')[2]}"
    event.record = event.record.replace(bob.person.key.encode(), key.encode())
    event.key, event.public_key = key, thief.pair.public
    event.signature = dsse.sign(thief.pair.private, SIGNATURE_TYPE, event.record)
    async with court.scribe() as scribe:
        await scribe.write(event)
        revision = await scribe.write(grant_event(asked))
    told = ann.get(asked.name, token.encode(revision))
    assert (told.state, list(told.signatures)) == (OPEN, [])
    for name in ("", asked.name):
        assert not court.check(asked.version, name).approval


async def test_a_signature_after_the_keys_revocation_counts_nowhere(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed())
    event = signature_by(bob, asked.name)
    bob.revoke_key()
    async with court.scribe() as scribe:
        await scribe.write(event)
        revision = await scribe.write(grant_event(asked))
    assert ann.get(asked.name, token.encode(revision)).state == OPEN
    assert not court.check(asked.version, asked.name).approval


async def test_a_signature_copied_from_another_approval_counts_nowhere(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.governed()
    signed, asked = ann.ask(version), ann.ask(version)
    copied = signature_by(bob, signed.name)
    copied.name = asked.name
    async with court.scribe() as scribe:
        await scribe.write(copied)
        revision = await scribe.write(grant_event(asked))
    told = ann.get(asked.name, token.encode(revision))
    assert (told.state, list(told.signatures)) == (OPEN, [])
    assert not court.check(version, asked.name).approval


async def test_a_request_that_pins_a_weaker_quorum_than_its_policy_is_no_grant(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed(2))
    forged = to_event(asked)
    forged.name = f"{asked.name[:-12]}{'0' * 12}"
    forged.quorum = 1
    async with court.scribe() as scribe:
        await scribe.write(forged)
    name = forged.name
    assert bob.sign(name).state == ApprovalState.APPROVAL_STATE_GRANTED
    assert not court.check(asked.version, name).approval


async def test_a_request_that_pins_a_policy_that_never_was_is_no_grant(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed(2))
    forged = to_event(asked)
    forged.name = f"{asked.name[:-12]}{'1' * 12}"
    forged.quorum = 1
    invented = PolicyRef(name=f"{asked.policies[0].name}0", digest=asked.policies[0].digest)
    forged.policies[0].CopyFrom(invented)
    async with court.scribe() as scribe:
        await scribe.write(forged)
    bob.sign(forged.name)
    assert not court.check(asked.version, forged.name).approval


async def test_an_unproven_key_on_the_stream_signs_nothing(court: Court, ann: Caller) -> None:
    thief = Caller(court, Person("second thief"))
    asked = ann.ask(court.governed())
    thief.create()
    court.give(thief.name, "approver:validator")
    async with court.scribe() as scribe:
        event = KeyEnrolled(
            name=thief.person.key, public_key=thief.person.pair.public, signature=bytes(64)
        )
        await scribe.write(event)
    with refused("KEY_NOT_ENROLLED"):
        thief.sign(asked.name)


async def test_forged_events_do_not_stop_the_read_model(
    court: Court, ann: Caller, bob: Caller
) -> None:
    approval = granted(court, ann, bob)
    async with court.scribe() as scribe:
        await scribe.write(to_event(approval))
        await scribe.write(PrincipalCreated(name=bob.name))
        await scribe.write(ApprovalRevoked(name=f"{approval.name[:-12]}{'2' * 12}"))
        revision = await scribe.write(grant_event(approval))
    told = ann.get(approval.name, token.encode(revision))
    told.etag = approval.etag
    assert told == approval


async def test_a_policy_on_the_subject_of_an_approval_counts_nowhere(
    court: Court, ann: Caller
) -> None:
    asked = ann.ask(court.governed())
    spec = PolicySpec(models=["*"], stages=["*"], quorum=1)
    event = PolicyPublished(
        name=f"{asked.name}/versions/1", number=1, spec=spec, digest=policy_digest(spec)
    )
    async with court.scribe() as scribe:
        revision = await scribe.write(event)
    assert ann.get(asked.name, token.encode(revision)) == replaced(asked, revision)


def replaced(approval: Approval, revision: int) -> Approval:
    """Return the approval with the etag of a later event on its subject."""
    same = Approval()
    same.CopyFrom(approval)
    same.etag = f'"{revision}"'
    return same


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
