"""Who begins, who endorses, and what is forged: nothing counts that no other person stands for."""

from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import KeyEnrolled, PolicyPublished, RoleGranted
from assay.approval.v1.resources_pb2 import (
    ApprovalState,
    Endorsement,
    Policy,
    PolicySpec,
    Principal,
    Standing,
)
from assay.endorsements import role_subject
from assay_approval.domain.roles import role_name
from assay_approval.signatures import policy_digest
from assay_events import token
from assay_trust import dsse
from assay_trust.record import ENDORSEMENT_TYPE, EndorsementRecord, Named
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused
from tests.support.scribe import DEPLOYMENT, OWNER
from tests.unit.assay_approval.people import NOW, Person, text
from tests.unit.assay_approval.test_principal import enrolled

PROPOSED, ACTIVE = Standing.STANDING_PROPOSED, Standing.STANDING_ACTIVE
GRANTED = ApprovalState.APPROVAL_STATE_GRANTED


@pytest.mark.requirement("S5", "W13")
def test_nobody_endorses_what_is_their_own_or_they_proposed(court: Court, bob: Caller) -> None:
    ann, second = court.someone(), court.someone()
    court.link(ann, second)
    role = court.grant_role(ann.name, "deployer")
    key = ann.enrol(Person(ann.person.word, key_number=1))
    assert (role.standing, key.standing) == (PROPOSED, PROPOSED)
    for caller in (ann, second):
        for name in (role.name, key.name):
            with refused("SELF_ENDORSEMENT"):
                caller.endorse(name)
    assert bob.endorse(role.name).role.standing == ACTIVE
    assert bob.endorse(key.name).key.standing == ACTIVE
    with refused("NOT_FOUND"):
        bob.endorse(role.name)


@pytest.mark.requirement("W11")
def test_nobody_endorses_the_policy_that_they_proposed(court: Court, bob: Caller) -> None:
    spec = PolicySpec(models=["nothing"], stages=["production"], quorum=1)
    author = court.someone(roles=["policy-admin", "approver:validator"])
    request = api.PublishPolicyRequest(
        parent=NAMESPACE, policy=Policy(spec=spec), policy_id=f"p-{uuid4()}"
    )
    proposed = court.stub.PublishPolicy(request, metadata=author.metadata).policy
    assert (proposed.number, proposed.proposed_number) == (0, 1)
    version = f"{proposed.name}/versions/1"
    with refused("SELF_ENDORSEMENT"):
        author.endorse(version)
    policy = bob.endorse(version).policy
    assert (policy.number, policy.proposer, policy.endorser) == (1, author.name, bob.name)


@pytest.mark.requirement("W1")
def test_who_has_no_role_that_endorses_does_not(court: Court, ann: Caller) -> None:
    reader = court.someone(roles=["contributor"])
    role = court.grant_role(ann.name, "deployer")
    with refused("ROLE_REQUIRED"):
        reader.endorse(role.name)
    request = api.PrepareEndorsementRequest(name=role.name, key=reader.person.key)
    with refused("OWNER_MAY_NOT_SIGN"):
        court.stub.PrepareEndorsement(request, metadata=court.user(OWNER))


@pytest.mark.requirement("S2")
def test_an_endorsement_is_of_one_proposal(court: Court, ann: Caller, bob: Caller) -> None:
    one, other = (court.grant_role(ann.name, role) for role in ("deployer", "reader"))
    request = bob.request_to_endorse(one.name)
    request.name = other.name
    with refused("BAD_SIGNATURE"):
        court.stub.Endorse(request, metadata=bob.metadata)
    request.name = one.name
    request.signature = bytes(64)
    with refused("BAD_SIGNATURE"):
        court.stub.Endorse(request, metadata=bob.metadata)


def test_what_waits_is_listed(court: Court, ann: Caller, bob: Caller) -> None:
    role = court.grant_role(ann.name, "deployer")
    seen = token.encode(int(role.etag.strip('"')))
    request = api.ListProposalsRequest(at_least_as_fresh=seen, page_size=1000)
    listed = court.stub.ListProposals(request, metadata=bob.metadata).proposals
    (found,) = (each for each in listed if each.name == role.name)
    assert found.proposer == f"principals/{OWNER}"
    assert found.description == f"{ann.name} becomes deployer in *."


@pytest.mark.requirement("W13")
def test_the_rights_of_anybody_at_any_time(court: Court, bob: Caller) -> None:
    dan = court.someone(roles=())
    given = court.give(dan.name, "approver:validator")
    removed = court.take(given)
    assert removed.HasField("remove_time")
    before, after = (int(each.etag.strip('"')) for each in (given, removed))
    assert [each.name for each in court.roles(dan.name, removed, before)] == [given.name]
    assert [each.name for each in court.roles(dan.name, removed, after - 1)] == [given.name]
    assert not court.roles(dan.name, removed, before - 1)
    assert not court.roles(dan.name, removed)
    with refused("RIGHT_REQUIRED"):
        dan.get(f"{NAMESPACE}/approvals/{uuid4()}")
    del bob


@pytest.mark.requirement("A2", "S5")
def test_a_workload_is_no_approver(court: Court) -> None:
    machine = Caller(court, Person(f"w{uuid4()}"), "workload")
    machine.create()
    with refused("HUMAN_REQUIRED"):
        court.grant_role(machine.name, "approver:validator")


@pytest.mark.requirement("W13")
def test_a_role_is_given_by_admins_where_they_are_admins(court: Court, ann: Caller) -> None:
    admin = court.someone(roles=())
    court.give(admin.name, "admin", f"{NAMESPACE}/models/churn")
    request = api.GrantRoleRequest(parent=ann.name)
    request.role.role, request.role.scope = "reader", f"{NAMESPACE}/models/churn"
    given = court.stub.GrantRole(request, metadata=admin.metadata).role
    assert (given.standing, given.giver) == (PROPOSED, admin.name)
    request.role.scope = NAMESPACE
    with refused("RIGHT_REQUIRED"):
        court.stub.GrantRole(request, metadata=admin.metadata)
    removal = api.RemoveRoleRequest(name=court.give(ann.name, "deployer").name, reason="No.")
    with refused("RIGHT_REQUIRED"):
        court.stub.RemoveRole(removal, metadata=admin.metadata)


def test_exclusive_roles_are_refused(court: Court, ann: Caller) -> None:
    for role in ("admin", "auditor"):
        with refused("EXCLUSIVE_ROLES"):
            court.grant_role(ann.name, role, NAMESPACE)


@pytest.mark.requirement("W3", "S5")
def test_exclusive_roles_are_refused_to_two_accounts_of_a_person(court: Court, ann: Caller) -> None:
    admin, second = court.someone(roles=["admin"]), court.someone(roles=())
    with refused("EXCLUSIVE_ROLES"):
        court.link(admin, ann)
    court.link(admin, second)
    with refused("EXCLUSIVE_ROLES"):
        court.grant_role(second.name, "approver:validator")


def forged(holder: Person, role: str, by: Person | None = None) -> RoleGranted:
    """Return the event of a role that nobody gave; endorsed by a key that nobody knows."""
    name = role_name(holder.name, role, "*")
    event = RoleGranted(name=name, role=role, scope="*", founding=by is None)
    if by is not None:
        event.endorsement.CopyFrom(endorsement(by, role_subject(event)))
    return event


def endorsement(by: Person, subject: Named) -> Endorsement:
    record = EndorsementRecord(
        deployment=DEPLOYMENT,
        subject=subject,
        nonce="ef" * 32,
        signer=by.name,
        key=by.key,
        time=NOW,
        printed_name_commitment=text("X").commitment.hex(),
    ).to_bytes()
    return Endorsement(
        signer=by.name,
        key=by.key,
        public_key=by.pair.public,
        record=record,
        signature=dsse.sign(by.pair.private, ENDORSEMENT_TYPE, record),
        printed_name=text("X"),
    )


@pytest.mark.requirement("A1", "W1")
@pytest.mark.parametrize("by", [None, Person("nobody at all")], ids=["founding", "unknown key"])
async def test_a_forged_role_gives_no_right(court: Court, by: Person | None) -> None:
    mallory = court.someone(roles=())
    async with court.scribe() as scribe:
        revision = await scribe.write(forged(mallory.person, "contributor", by))
        await scribe.write(forged(mallory.person, "approver:validator", by))
    version = court.governed()
    with refused("RIGHT_REQUIRED"):
        mallory.ask(version)
    request = api.ListRolesRequest(parent=mallory.name, at_least_as_fresh=token.encode(revision))
    assert not court.stub.ListRoles(request, metadata=mallory.metadata).roles


@pytest.mark.requirement("S6", "W1")
async def test_a_key_that_was_founded_too_late_signs_nothing(court: Court, ann: Caller) -> None:
    mallory = Caller(court, Person(f"m{uuid4()}"))
    mallory.create()
    court.give(mallory.name, "approver:validator")
    asked = ann.ask(court.governed())
    async with court.scribe() as scribe:
        revision = await scribe.write(enrolled(mallory.person))
    with refused("KEY_NOT_ENROLLED"):
        mallory.sign(asked.name)
    request = api.GetPrincipalRequest(name=mallory.name, at_least_as_fresh=token.encode(revision))
    told: Principal = court.stub.GetPrincipal(request, metadata=ann.metadata).principal
    assert not told.keys
    assert isinstance(enrolled(mallory.person), KeyEnrolled)


@pytest.mark.requirement("W11")
@pytest.mark.parametrize("by", [None, Person("nobody at all")], ids=["founding", "unknown key"])
async def test_a_forged_policy_governs_nothing(
    court: Court, ann: Caller, bob: Caller, eve: Caller, by: Person | None
) -> None:
    version = court.register()
    policy = court.publish(version, 2)
    spec = PolicySpec(models=list(policy.spec.models), stages=["production"], quorum=1)
    event = PolicyPublished(
        name=f"{policy.name}/versions/2",
        number=2,
        spec=spec,
        digest=policy_digest(spec),
        founding=by is None,
    )
    if by is not None:
        event.endorsement.CopyFrom(endorsement(by, Named(event.name, event.digest)))
    async with court.scribe() as scribe:
        await scribe.write(event)
    answer = court.check(version)
    assert [each.digest for each in answer.policies] == [policy.digest]
    asked = ann.ask(version)
    assert [each.digest for each in asked.policies] == [policy.digest]
    assert bob.sign(asked.name).state != GRANTED
    granted = eve.sign(asked.name)
    assert court.check(version).approval == granted.name
    assert ann.get(granted.name, fresh(granted)) == granted
