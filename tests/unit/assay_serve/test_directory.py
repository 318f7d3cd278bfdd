"""Who is who, with which roles, from the events: what nobody stands for changes nothing."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from google.protobuf.message import Message

from assay.approval.v1.approval_service_pb2 import GetApprovalRequest
from assay.approval.v1.events_pb2 import (
    KeyEnrolled,
    KeyRevoked,
    PolicyPublished,
    PrincipalLinked,
    RoleGranted,
    RoleRemoved,
)
from assay.approval.v1.resources_pb2 import Endorsement
from assay.endorsements import role_subject
from assay.type.v1.options_pb2 import Right
from assay_approval.domain.roles import role_name
from assay_events.decider import Forbidden
from assay_events.errors import Unavailable
from assay_events.memory import MemoryStore
from assay_serve.directory import Directory
from assay_serve.rights import Demand, Rights
from assay_trust import dsse
from assay_trust.record import ENDORSEMENT_TYPE, EndorsementRecord, Named
from tests.support.scribe import DEPLOYMENT, OWNER, Scribe
from tests.unit.assay_approval.people import ANN, BOB, DAN, DIGEST, EVE, NOW, Person, text
from tests.unit.assay_approval.test_principal import enrolled

VALIDATOR = "approver:validator"
POLICY = "namespaces/default/policies/production/versions/1"


def role(
    person: Person, role: str = VALIDATOR, scope: str = "*", *, founding: bool = True
) -> RoleGranted:
    name = role_name(person.name, role, scope)
    return RoleGranted(name=name, role=role, scope=scope, founding=founding)


def endorsed(event: RoleGranted, by: Person, giver: str = f"principals/{OWNER}") -> RoleGranted:
    """Return the event with the giver, and the signature of somebody else."""
    event.giver = giver
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


async def directory(*events: Message) -> Directory:
    """Return what a directory makes of events."""
    store, found = MemoryStore(), Directory(DEPLOYMENT)
    scribe = Scribe({"approval": store})
    for event in events:
        await scribe.write(event)
    for stored in store.messages:
        found.take(stored)
    return found


def roles(found: Directory, person: Person, at: datetime = NOW) -> list[str]:
    return [held.role for held in found.roles(person.name, at)]


FOUNDED = (
    enrolled(BOB),
    role(BOB, "policy-admin"),
    PolicyPublished(name=POLICY, digest=DIGEST, founding=True),
)


@pytest.mark.requirement("W13", "S6")
async def test_the_founding_ends_with_the_first_policy() -> None:
    found = await directory(*FOUNDED, role(EVE), enrolled(EVE))
    assert roles(found, BOB) == ["policy-admin"]
    assert roles(found, EVE) == []
    assert list(found.keys) == [BOB.key]
    assert (found.founding_end, found.policies) == (3, {3})


@pytest.mark.requirement("W13")
async def test_another_persons_key_puts_a_role_in_force() -> None:
    found = await directory(*FOUNDED, endorsed(role(EVE, founding=False), BOB))
    assert roles(found, EVE) == [VALIDATOR]
    assert found.gave(role(EVE).name, 4)


@pytest.mark.requirement("W13", "S5")
async def test_no_endorsement_counts_of_an_unknown_own_revoked_or_rightless_key() -> None:
    unknown = endorsed(role(EVE, founding=False), DAN)
    by_holder = endorsed(role(BOB, founding=False), BOB)
    by_giver = endorsed(role(EVE, founding=False), BOB, BOB.name)
    revoked = KeyRevoked(name=BOB.key, public_key=BOB.pair.public)
    late = endorsed(role(EVE, founding=False), BOB)
    linked = PrincipalLinked(name=EVE.name, other=BOB.name)
    for script in ([unknown], [by_holder], [by_giver], [revoked, late], [linked, late]):
        found = await directory(*FOUNDED, *script)
        assert roles(found, EVE) == []
        assert roles(found, BOB) == ["policy-admin"]
    rightless = (enrolled(BOB), role(BOB, "reader"), FOUNDED[2])
    assert roles(await directory(*rightless, late), EVE) == []


async def test_an_endorsement_of_another_role_counts_for_nothing() -> None:
    event = endorsed(role(EVE, founding=False), BOB)
    other = role(EVE, "admin", founding=False)
    other.endorsement.CopyFrom(event.endorsement)
    assert roles(await directory(*FOUNDED, other), EVE) == []


@pytest.mark.parametrize(
    "event",
    [
        PolicyPublished(name=f"{POLICY}/x", digest="no digest"),
        RoleGranted(name=f"{EVE.name}/roles/y", role="e\u0301", scope="\u0000"),
        KeyEnrolled(name=f"{EVE.name}/keys/x", record=b"{}"),
    ],
    ids=["policy", "role", "key"],
)
async def test_what_is_malformed_changes_nothing_and_stops_nothing(event: Message) -> None:
    found = await directory(*FOUNDED, event, endorsed(role(EVE, founding=False), BOB))
    assert roles(found, EVE) == [VALIDATOR]


@pytest.mark.requirement("W13")
async def test_a_role_ends_and_is_given_again() -> None:
    gone = RoleRemoved(name=role(EVE).name)
    found = await directory(role(EVE), gone, role(EVE))
    held = {at: len(list(found.roles(EVE.name, NOW, at))) for at in range(4)}
    assert held == {0: 0, 1: 1, 2: 0, 3: 1}


@pytest.mark.requirement("W1")
async def test_a_role_is_lent_by_who_has_it_until_its_time() -> None:
    name = role_name(EVE.name, VALIDATOR, "*", BOB.name)
    lent = RoleGranted(name=name, role=VALIDATOR, scope="*", delegator=BOB.name)
    lent.expire_time.FromDatetime(NOW + timedelta(hours=1))
    found = await directory(role(BOB), lent)
    assert roles(found, EVE) == [VALIDATOR]
    assert roles(found, EVE, NOW + timedelta(hours=1)) == []
    assert roles(await directory(lent), EVE) == []
    lent.expire_time.seconds = 2**60
    assert roles(await directory(role(BOB), lent), EVE) == []
    lent.ClearField("expire_time")
    assert roles(await directory(role(BOB), lent), EVE) == []


async def test_accounts_of_one_person_are_one_whichever_way_they_are_linked() -> None:
    chain = (
        PrincipalLinked(name=ANN.name, other=BOB.name),
        PrincipalLinked(name=EVE.name, other=BOB.name),
    )
    found = await directory(*chain)
    everybody = frozenset({ANN.name, BOB.name, EVE.name})
    assert {found.accounts(each) for each in everybody} == {everybody}
    assert len({found.person(each) for each in everybody}) == 1
    assert found.person(DAN.name) == DAN.name


async def test_the_latest_time_of_the_store_is_known_whatever_the_event() -> None:
    store = MemoryStore()
    await Scribe({"approval": store}).write(role(EVE))
    later = NOW + timedelta(days=3650)
    found = Directory(DEPLOYMENT)
    found.take(replace(store.messages[0], nats_subject="assay.v1.metadata.x", stream_time=later))
    found.take(store.messages[0])
    assert found.stream_time == later


async def authorised(person: str, demand: Demand, resource: str, *events: Message) -> bool:
    """Return whether a person may ask about a resource."""
    store = MemoryStore()
    scribe = Scribe({"approval": store})
    for event in events:
        await scribe.write(event)
    rights = Rights(store, DEPLOYMENT, f"principals/{OWNER}")
    following = asyncio.create_task(rights.run())
    try:
        await rights.authorise(person, demand, GetApprovalRequest(name=resource), "/x")
    except Forbidden:
        return False
    finally:
        following.cancel()
    return True


READ = Demand(Right.RIGHT_READ, ("name",))
APPROVE = Demand(Right.RIGHT_APPROVE, ("name",))
MODEL = "namespaces/default/models/churn"


@pytest.mark.requirement("W1")
async def test_a_role_holds_below_its_scope_and_at_what_its_namespace_shares() -> None:
    of_model = role(EVE, "reader", MODEL)
    places = {
        MODEL: True,
        f"{MODEL}/stages/production": True,
        "namespaces/default/approvals/x": True,
        "namespaces/default/policies/x": True,
        f"{MODEL}2": False,
        "namespaces/default": False,
        "namespaces/other/approvals/x": False,
        "": False,
    }
    told = {place: await authorised(EVE.name, READ, place, of_model) for place in places}
    assert told == places


@pytest.mark.requirement("W3")
async def test_the_owner_has_every_right_but_to_approve() -> None:
    owner = f"principals/{OWNER}"
    assert await authorised(owner, READ, MODEL)
    assert not await authorised(owner, APPROVE, MODEL)


async def test_a_role_of_just_now_counts_at_once() -> None:
    store = MemoryStore()
    scribe = Scribe({"approval": store})
    rights = Rights(store, DEPLOYMENT, f"principals/{OWNER}")
    following = asyncio.create_task(rights.run())
    await rights.level()
    await scribe.write(role(EVE, "reader"))
    await rights.authorise(EVE.name, READ, GetApprovalRequest(name=MODEL), "/x")
    following.cancel()


async def test_who_may_do_what_is_not_guessed() -> None:
    store = MemoryStore()
    await Scribe({"approval": store}).write(role(EVE))
    rights = Rights(store, DEPLOYMENT, f"principals/{OWNER}")
    with pytest.raises(Unavailable):
        await rights.authorise(EVE.name, READ, GetApprovalRequest(name=MODEL), "/x")
