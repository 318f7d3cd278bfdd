"""What was put on the stream past the service, by its own password, counts nowhere."""

from dataclasses import replace

import pytest

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
    KeyEnrolled,
    PolicyPublished,
    PrincipalCreated,
    RoleGranted,
)
from assay.approval.v1.resources_pb2 import (
    Approval,
    ApprovalState,
    PolicyRef,
    PolicySpec,
    Seat,
    Step,
)
from assay_approval.domain.roles import role_name
from assay_approval.signatures import policy_digest
from assay_events import token
from assay_trust import digests, dsse
from assay_trust.record import SIGNATURE_TYPE, Named, SigningRecord
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import refused
from tests.unit.assay_approval.people import Person

OPEN = ApprovalState.APPROVAL_STATE_OPEN
ONE_LAWYER = PolicySpec(steps=[Step(id="law", seats=[Seat(role="lawyer", count=1)])])


def granted(court: Court, ann: Caller, bob: Caller) -> Approval:
    return bob.sign(ann.ask(court.governed()).name)


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


@pytest.mark.requirement("W1", "W4")
async def test_a_bogus_grant_counts_nowhere(court: Court, ann: Caller) -> None:
    asked = ann.ask(court.governed())
    async with court.scribe() as scribe:
        revision = await scribe.write(grant_event(asked))
    assert ann.get(asked.name, token.encode(revision)).state == OPEN
    for name in ("", asked.name):
        assert not court.check(asked.version, name).approval


@pytest.mark.requirement("W1", "W4")
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


@pytest.mark.requirement("W1", "W4")
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


@pytest.mark.requirement("S2")
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


@pytest.mark.requirement("W1", "W4")
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


@pytest.mark.requirement("W1", "W4")
async def test_a_signature_in_a_role_that_nobody_gave_counts_nowhere(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.ruled(ONE_LAWYER))
    role = RoleGranted(
        name=role_name(bob.name, "approver:lawyer", "*"),
        role="approver:lawyer",
        scope="*",
        founding=True,
    )
    said = SigningRecord.from_bytes(bob.prepare(ann.ask(court.governed()).name).record)
    event = signature_over(bob, asked, replace(said, step="law", role="lawyer"))
    async with court.scribe() as scribe:
        await scribe.write(role)
        await scribe.write(event)
        await scribe.write(grant_event(asked))
    assert not court.check(asked.version, asked.name).approval
    with refused("ROLE_REQUIRED"):
        bob.prepare(ann.ask(asked.version).name, role="lawyer")


def signature_over(caller: Caller, asked: Approval, said: SigningRecord) -> ApprovalSigned:
    """Return the event of a signature over all that an approval asks, as `said` otherwise."""
    data = replace(
        said,
        approval=asked.name,
        nonce=asked.nonce,
        subject=Named(asked.version, asked.manifest_digest),
        target=asked.target,
        policies=tuple(Named(each.name, each.digest) for each in asked.policies),
        evidence_digest=asked.evidence_digest,
        printed_name_commitment="",
    ).to_bytes()
    return ApprovalSigned(
        name=asked.name,
        signer=caller.name,
        key=caller.person.key,
        public_key=caller.person.pair.public,
        record=data,
        signature=dsse.sign(caller.person.pair.private, SIGNATURE_TYPE, data),
    )


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
