"""People, workloads, keys and policies, through real gRPC, NATS and Postgres."""

from dataclasses import replace
from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Policy, PolicySpec, Principal, Standing
from assay.type.v1.actor_pb2 import ActorKind
from assay_events import token
from assay_trust import dsse
from assay_trust.record import ENROLMENT_TYPE
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import refused
from tests.support.scribe import OWNER
from tests.unit.assay_approval.people import Person

ACTIVE = Standing.STANDING_ACTIVE


def newcomer(court: Court, kind: str = "human") -> Caller:
    return Caller(court, Person(f"n{uuid4()}"), kind)


def read(caller: Caller, fresh: str = "") -> Principal:
    request = api.GetPrincipalRequest(name=caller.name, at_least_as_fresh=fresh)
    return caller.court.stub.GetPrincipal(request, metadata=caller.metadata).principal


def test_a_caller_becomes_known_under_its_own_id(court: Court) -> None:
    ann = newcomer(court)
    request = api.CreatePrincipalRequest(principal=Principal(printed_name="Ann", login="ann"))
    made = court.stub.CreatePrincipal(request, metadata=ann.metadata)
    assert made.principal.name == ann.name
    assert made.principal.printed_name == "Ann"
    assert made.principal.kind == ActorKind.ACTOR_KIND_HUMAN
    assert read(ann, made.consistency_token) == made.principal
    assert ann.create("Another Name") == made.principal


def test_a_blank_printed_name_is_refused(court: Court) -> None:
    with refused("REQUIRED"):
        newcomer(court).create("  ")


def test_a_key_is_enrolled_and_revoked(court: Court) -> None:
    ann = newcomer(court)
    ann.create()
    proposed = ann.enrol()
    assert proposed.standing == Standing.STANDING_PROPOSED
    enrolled = court.founder.endorse(proposed.name).key
    assert enrolled.public_key == ann.person.pair.public
    assert (enrolled.standing, enrolled.endorser) == (ACTIVE, court.founder.name)
    assert ann.enrol() == enrolled
    revoked = ann.revoke_key()
    assert revoked.HasField("revoke_time")
    assert ann.revoke_key() == revoked
    with refused("KEY_TAKEN"):
        ann.enrol()


def test_what_is_written_of_a_principal_is_what_is_read(court: Court) -> None:
    ann = court.someone()
    second = replace(ann.person, key_number=1)
    ann.enrol(second)
    request = api.RevokeKeyRequest(name=second.key, reason="Lost.")
    done = court.stub.RevokeKey(request, metadata=ann.metadata)
    told = read(ann, done.consistency_token)
    assert [key.name for key in told.keys] == [ann.person.key, second.key]
    assert told.keys[1] == done.key
    assert not told.keys[0].HasField("revoke_time")


@pytest.mark.requirement("S5")
def test_a_key_belongs_to_one_principal_for_ever(court: Court) -> None:
    ann, thief = court.someone(), newcomer(court)
    thief.create()
    with refused("KEY_TAKEN"):
        thief.enrol(ann.person)
    ann.revoke_key()
    with refused("KEY_TAKEN"):
        thief.enrol(ann.person)


def test_a_refused_enrolment_claims_no_key(court: Court) -> None:
    ann, bob = newcomer(court), newcomer(court)
    bob.create()
    with refused("NOT_FOUND"):
        ann.enrol()
    assert bob.enrol(ann.person).public_key == ann.person.pair.public


@pytest.mark.requirement("S5")
def test_the_owner_enrols_no_key(court: Court) -> None:
    class Owner(Caller):
        @property
        def name(self) -> str:
            return f"principals/{OWNER}"

    owner = Owner(court, Person("owner"))
    owner.create("Olga Owner")
    with refused("OWNER_MAY_NOT_SIGN"):
        owner.enrol()


@pytest.mark.requirement("S5")
def test_a_workload_enrols_no_key(court: Court) -> None:
    machine = newcomer(court, "workload")
    assert machine.create().kind == ActorKind.ACTOR_KIND_WORKLOAD
    with refused("HUMAN_REQUIRED"):
        machine.enrol()


def test_nobody_enrols_for_another(court: Court) -> None:
    ann, bob = court.someone(), court.someone()
    record = b"{}"
    request = api.EnrolKeyRequest(
        parent=ann.name,
        public_key=bob.person.pair.public,
        record=record,
        signature=dsse.sign(bob.person.pair.private, ENROLMENT_TYPE, record),
    )
    with refused("NOT_ALLOWED"):
        court.stub.EnrolKey(request, metadata=bob.metadata)


def test_only_the_holder_and_the_owner_revoke_a_key(court: Court) -> None:
    ann, bob = court.someone(), court.someone()
    with refused("NOT_ALLOWED"):
        bob.revoke_key(ann.person.key)
    request = api.RevokeKeyRequest(name=ann.person.key, reason="She left.")
    court.stub.RevokeKey(request, metadata=court.user(OWNER))
    with refused("REQUIRED"):
        bob.revoke_key(reason="  ")


def test_a_service_is_no_principal(court: Court) -> None:
    request = api.CreatePrincipalRequest(principal=Principal(printed_name="Metadata"))
    with refused("NOT_ALLOWED"):
        court.internal.CreatePrincipal(request, metadata=court.service())


def test_principals_are_listed_oldest_first(court: Court) -> None:
    ann = newcomer(court)
    last = ann.create()
    request = api.ListPrincipalsRequest(page_size=1000)
    names = [ann.name]
    while True:
        page = court.stub.ListPrincipals(request, metadata=ann.metadata)
        revisions = [int(each.etag.strip('"')) for each in page.principals]
        assert revisions == sorted(revisions)
        names += [each.name for each in page.principals]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert last.name in names


def publish(court: Court, policy_id: str, quorum: int, etag: str = "") -> Policy:
    spec = PolicySpec(models=["nothing"], stages=["production"], quorum=quorum)
    return court.enact(spec, policy_id, etag)


def test_a_policy_counts_its_versions(court: Court) -> None:
    policy_id = f"p-{uuid4()}"
    one = publish(court, policy_id, 1)
    assert (one.number, one.endorser) == (1, court.founder.name)
    assert publish(court, policy_id, 1) == one
    two = publish(court, policy_id, 2, one.etag)
    assert two.number == 2
    assert two.digest != one.digest
    for stale in (one.etag, '"1"'):
        with refused("ETAG_MISMATCH"):
            publish(court, policy_id, 3, stale)
    with refused("BAD_POLICY"):
        publish(court, policy_id, 65)


def test_a_policy_proposed_twice_by_one_request_waits_once(court: Court) -> None:
    first = publish(court, f"p-{uuid4()}", 1)
    spec = PolicySpec(models=["nothing"], stages=["production"], quorum=2)
    request = api.PublishPolicyRequest(
        parent=NAMESPACE,
        policy=Policy(spec=spec, etag=first.etag),
        policy_id=first.name.rpartition("/")[2],
        request_id=str(uuid4()),
    )
    answers = [
        court.stub.PublishPolicy(request, metadata=court.user(OWNER)).policy for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert (answers[0].number, answers[0].proposed_number) == (1, 2)


def test_policies_are_read_and_listed_at_their_newest(court: Court) -> None:
    policy_id = f"p-{uuid4()}"
    publish(court, policy_id, 1)
    spec = PolicySpec(models=["nothing"], stages=["production"], quorum=2, description="Two.")
    newest = court.enact(spec, policy_id)
    seen = token.encode(int(newest.etag.strip('"')))
    get = api.GetPolicyRequest(name=newest.name, at_least_as_fresh=seen)
    assert court.stub.GetPolicy(get, metadata=court.user(OWNER)).policy == newest
    listing = api.ListPoliciesRequest(parent=NAMESPACE, page_size=1000)
    listed = court.stub.ListPolicies(listing, metadata=court.user(OWNER)).policies
    assert [each for each in listed if each.name == newest.name] == [newest]
    names = [each.name for each in listed]
    assert names == sorted(names)


def test_a_workload_publishes_no_policy(court: Court) -> None:
    machine = newcomer(court, "workload")
    machine.create()
    court.give(machine.name, "policy-admin")
    spec = PolicySpec(models=["nothing"], stages=["production"], quorum=1)
    request = api.PublishPolicyRequest(
        parent=NAMESPACE, policy=Policy(spec=spec), policy_id="machines"
    )
    with refused("HUMAN_REQUIRED"):
        court.stub.PublishPolicy(request, metadata=machine.metadata)
