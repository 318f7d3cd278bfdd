"""What a grant must still be when it is asked about."""

from dataclasses import replace
from datetime import timedelta

import pytest

from assay import names
from assay.approval.v1.events_pb2 import ApprovalRequested
from assay.approval.v1.resources_pb2 import PolicySpec
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.counting import Approval
from assay_approval.domain.grant import Entry, Evidence, is_candidate, is_earned
from assay_approval.domain.policies import Policies, Target, Version
from assay_approval.signatures import policy_digest
from assay_serve.directory import OPEN, KeyLife
from tests.unit.assay_approval.people import (
    BOB,
    DEPLOYMENT,
    DIGEST,
    EVE,
    NOW,
    TARGET,
    VERSION,
    Person,
    asked,
    granted,
    history,
    policy,
    reject,
    request,
    roster,
    sign,
    signed,
)

ENTRY = Entry(Target(TARGET), VERSION, DIGEST)


def published(*versions: Version) -> Policies:
    """Return the policies after these versions."""
    newest = {each.name.rpartition("/versions/")[0]: each for each in versions}
    return Policies(newest, {each.name: each for each in versions})


POLICY = published(policy(quorum=2))
GRANTED = APPROVAL.fold(history(request(), sign(BOB, asked()), sign(EVE, asked())))
LIVES = {person.key: KeyLife(person.name, person.pair.public, 2) for person in (BOB, EVE)}
EVIDENCE = Evidence(DEPLOYMENT, NOW, {BOB.name: 10, EVE.name: 11}, LIVES, roster())


def with_life(person: Person, life: KeyLife) -> Evidence:
    return replace(EVIDENCE, keys={**LIVES, person.key: life})


def test_a_granted_approval_is_a_grant_for_what_it_names() -> None:
    assert is_candidate(GRANTED, ENTRY, POLICY, NOW)
    assert is_earned(GRANTED, POLICY, EVIDENCE)


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRY, version=names.VersionName("default", "churn", 4)),
        replace(ENTRY, target=Target(names.StageName("default", "churn", "staging"))),
        replace(ENTRY, manifest_digest="sha256:" + "ac" * 32),
    ],
)
def test_a_grant_is_for_nothing_else(entry: Entry) -> None:
    assert not is_candidate(GRANTED, entry, POLICY, NOW)


@pytest.mark.parametrize(
    "approval",
    [
        Approval(),
        APPROVAL.fold(history(request())),
        APPROVAL.fold(history(request(), sign(BOB, asked()))),
        APPROVAL.fold(history(request(), reject(BOB, asked()))),
    ],
)
def test_what_is_not_granted_is_no_grant(approval: Approval) -> None:
    assert not is_candidate(approval, ENTRY, POLICY, NOW)


def test_a_policy_that_was_not_pinned_voids_the_grant() -> None:
    later = published(policy(quorum=2), policy("later", quorum=1))
    assert not is_candidate(GRANTED, ENTRY, later, NOW)


def test_a_newer_version_of_a_pinned_policy_does_not() -> None:
    newer = published(policy(quorum=2), policy(quorum=3, number=2))
    assert is_candidate(GRANTED, ENTRY, newer, NOW)
    assert is_earned(GRANTED, newer, EVIDENCE)


def test_the_quorum_is_the_policys_whatever_the_request_says() -> None:
    weak = asked()
    weak.quorum = weak.specs[0].quorum = 1
    state = APPROVAL.fold([weak, signed(BOB, weak), granted(weak, BOB)])
    assert is_candidate(state, ENTRY, POLICY, NOW)
    assert not is_earned(state, POLICY, EVIDENCE)


def test_a_grant_ends_no_later_than_its_policy_lets_it() -> None:
    spec = PolicySpec(models=["*"], stages=["production"], quorum=2, valid_seconds=60)
    version = Version(policy().name, 1, policy_digest(spec), spec)
    of = APPROVAL.decide(replace(request(), policies=(version,)), APPROVAL.initial)[0]
    assert isinstance(of, ApprovalRequested)
    signatures, grant = [signed(BOB, of), signed(EVE, of)], granted(of, BOB, EVE)
    for end, counts in ((NOW + timedelta(seconds=60), True), (NOW + timedelta(days=1), False)):
        grant.expire_time.FromDatetime(end)
        state = APPROVAL.fold([of, *signatures, grant])
        assert is_earned(state, published(version), EVIDENCE) is counts
    grant.ClearField("expire_time")
    assert not is_earned(APPROVAL.fold([of, *signatures, grant]), published(version), EVIDENCE)


def test_a_policy_that_was_never_published_gives_no_grant() -> None:
    assert not is_earned(GRANTED, Policies(), EVIDENCE)
    assert not is_earned(GRANTED, published(policy(quorum=3)), EVIDENCE)


def test_a_key_signs_between_its_enrolment_and_its_revocation() -> None:
    public = BOB.pair.public
    assert is_earned(GRANTED, POLICY, with_life(BOB, KeyLife(BOB.name, public, 9, 11)))
    for enrolled_at, revoked_at in ((10, OPEN), (11, OPEN), (2, 10), (2, 3)):
        life = KeyLife(BOB.name, public, enrolled_at, revoked_at)
        assert not is_earned(GRANTED, POLICY, with_life(BOB, life))


def test_a_key_of_the_same_name_is_not_the_same_key() -> None:
    other = with_life(BOB, KeyLife(BOB.name, EVE.pair.public, 2))
    assert not is_earned(GRANTED, POLICY, other)
    assert not is_earned(GRANTED, POLICY, replace(EVIDENCE, keys={}))


def test_a_signature_for_another_deployment_does_not_count() -> None:
    elsewhere = replace(EVIDENCE, deployment="0d9a3a0e-3c0f-4a55-8f3a-00000000000f")
    assert not is_earned(GRANTED, POLICY, elsewhere)
