"""The rules of policies, told as stories."""

from dataclasses import replace

import pytest

from assay import names
from assay.approval.v1.events_pb2 import PolicyProposed, PolicyPublished
from assay.approval.v1.resources_pb2 import PasskeyData, PolicySpec
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.endorsing import Endorsing
from assay_approval.domain.policies import (
    POLICIES,
    EndorsePolicy,
    PublishPolicy,
    Target,
    governing,
)
from assay_approval.signatures import policy_digest
from assay_events.decider import Invalid
from assay_events.spec import Spec
from assay_trust import dsse
from assay_trust.record import ENDORSEMENT_TYPE, EndorsementRecord, Named
from tests.unit.assay_approval.people import ANN, BOB, DEPLOYMENT, NOW, Person, text

policies = Spec(POLICIES)
HUMAN = ActorKind.ACTOR_KIND_HUMAN
NAME = "namespaces/default/policies/production"
OTHER = "namespaces/default/policies/other"


def spec(quorum: int = 2, **parts: object) -> PolicySpec:
    made = {"models": ["churn"], "stages": ["production"], **parts}
    return PolicySpec(quorum=quorum, **made)  # type: ignore[arg-type]


def publish(
    policy: PolicySpec, name: str = NAME, known_number: int = 0, *, founding: bool = True
) -> PublishPolicy:
    return PublishPolicy(name, policy, HUMAN, ANN.name, founding, known_number)


def endorsing(person: Person, subject: Named) -> Endorsing:
    """Return a person's endorsement of what is proposed."""
    record = EndorsementRecord(
        deployment=DEPLOYMENT,
        subject=subject,
        nonce="ef" * 32,
        signer=person.name,
        key=person.key,
        time=NOW,
        printed_name_commitment=text(person.word.title()).commitment.hex(),
    ).to_bytes()
    return Endorsing(
        signer=person.signer,
        record=record,
        signature=dsse.sign(person.pair.private, ENDORSEMENT_TYPE, record),
        passkey=PasskeyData(),
        printed_name=text(person.word.title()),
        deployment=DEPLOYMENT,
        at=NOW,
        may_endorse=True,
    )


def proposed(policy: PolicySpec, number: int = 1, name: str = NAME) -> PolicyProposed:
    return PolicyProposed(
        name=f"{name}/versions/{number}",
        number=number,
        spec=policy,
        digest=policy_digest(policy),
        proposer=ANN.name,
    )


def endorse(version: PolicyProposed, person: Person = BOB) -> EndorsePolicy:
    signed = endorsing(person, Named(version.name, version.digest))
    return EndorsePolicy(version.name, signed)


def published(
    policy: PolicySpec, number: int = 1, name: str = NAME, *, founding: bool | None = None
) -> PolicyPublished:
    return PolicyPublished(
        name=f"{name}/versions/{number}",
        number=number,
        spec=policy,
        digest=policy_digest(policy),
        proposer=ANN.name,
        founding=number == 1 if founding is None else founding,
    )


def test_the_first_version_is_number_one_and_founding() -> None:
    policies.given().when(publish(spec())).then(published(spec()))


def test_the_next_version_waits_for_another_person_and_keeps_what_was() -> None:
    second = proposed(spec(3), 2)
    second.previous_spec.CopyFrom(spec(2))
    policies.given(published(spec(2))).when(publish(spec(3))).then(second)
    found = governing(POLICIES.fold([published(spec(2)), second]), Target(STAGE))
    assert [version.number for version in found] == [1]


def test_an_endorsement_puts_the_next_version_in_force() -> None:
    second = proposed(spec(3), 2)
    given = policies.given(published(spec(2)), second)
    (event,) = given.when(endorse(second)).events
    assert isinstance(event, PolicyPublished)
    assert event.endorsement.signer == BOB.name
    found = governing(POLICIES.fold([published(spec(2)), second, event]), Target(STAGE))
    assert [version.number for version in found] == [2]


def test_nobody_endorses_what_they_proposed() -> None:
    second = proposed(spec(3), 2)
    given = policies.given(published(spec(2)), second)
    given.when(endorse(second, ANN)).then_rejected(Reason.REASON_SELF_ENDORSEMENT)


def test_what_does_not_wait_is_not_endorsed() -> None:
    first = proposed(spec(2))
    given = policies.given(published(spec(2)))
    given.when(endorse(first)).then_rejected(Reason.REASON_NOT_PROPOSED)
    policies.given().when(endorse(first)).then_rejected(Reason.REASON_NOT_FOUND)


def test_an_endorsement_of_something_else_puts_nothing_in_force() -> None:
    second, other = proposed(spec(3), 2), proposed(spec(1), 2)
    stolen = replace(endorse(second), endorsing=endorse(other).endorsing)
    given = policies.given(published(spec(2)), second)
    given.when(stolen).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_version_that_nobody_endorsed_does_not_count() -> None:
    forged = published(spec(1), 2, founding=False)
    claimed = published(spec(1), 2, founding=True)
    for event in (forged, claimed):
        found = governing(POLICIES.fold([published(spec(2)), event]), Target(STAGE))
        assert [version.number for version in found] == [1]


def test_the_same_words_again_change_nothing() -> None:
    policies.given(published(spec())).when(publish(spec())).then_nothing()


def test_order_and_repetition_of_ids_say_nothing_new() -> None:
    before = published(spec(models=["a", "b"]))
    policies.given(before).when(publish(spec(models=["b", "a", "b"]))).then_nothing()


def test_a_version_on_top_of_an_old_one_is_refused() -> None:
    outcome = policies.given(*in_force(spec(), spec(3)))
    outcome.when(publish(spec(4), known_number=1)).then_rejected(Reason.REASON_ETAG_MISMATCH)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (spec(0), "quorum"),
        (spec(-1), "quorum"),
        (spec(65), "quorum"),
        (spec(models=[]), "models"),
        (spec(stages=[]), "stages"),
        (spec(models=["a/b"]), "models"),
        (spec(stages=["a@b"]), "stages"),
        (spec(aliases=[""]), "aliases"),
    ],
)
def test_a_policy_that_breaks_its_form_is_refused(policy: PolicySpec, field: str) -> None:
    refusal = policies.given().when(publish(policy)).then_rejected(Reason.REASON_BAD_POLICY)
    assert isinstance(refusal, Invalid)
    assert refusal.field == f"policy.spec.{field}"
    assert str(refusal).endswith(".")


@pytest.mark.parametrize("quorum", [1, 64])
def test_a_quorum_may_be_1_to_64(quorum: int) -> None:
    policies.given().when(publish(spec(quorum))).then(published(spec(quorum)))


def test_a_workload_publishes_no_policy() -> None:
    command = replace(publish(spec()), kind=ActorKind.ACTOR_KIND_WORKLOAD)
    policies.given().when(command).then_rejected(Reason.REASON_HUMAN_REQUIRED)


STAGE = names.StageName("default", "churn", "production")
ALIAS = names.AliasName("default", "churn", "champion")


@pytest.mark.parametrize(
    ("policy", "target", "governs"),
    [
        (spec(), STAGE, True),
        (spec(models=["*"]), STAGE, True),
        (spec(models=["*"], stages=["*"]), STAGE, True),
        (spec(models=["fraud"]), STAGE, False),
        (spec(stages=["staging"]), STAGE, False),
        (spec(stages=["*"]), ALIAS, False),
        (spec(stages=["champion"]), ALIAS, True),
        (spec(stages=[], aliases=["champion"]), ALIAS, True),
        (spec(stages=[], aliases=["production"]), STAGE, False),
    ],
)
def test_a_policy_governs_what_it_selects(
    policy: PolicySpec, target: names.AliasName | names.StageName, governs: bool
) -> None:
    found = governing(POLICIES.fold([published(policy)]), Target(target))
    assert [version.name for version in found] == ([f"{NAME}/versions/1"] if governs else [])


def in_force(*specs: PolicySpec, name: str = NAME) -> list[PolicyProposed | PolicyPublished]:
    """Return the events of versions that came into force one after the other."""
    events: list[PolicyProposed | PolicyPublished] = [published(specs[0], name=name)]
    for number, each in enumerate(specs[1:], start=2):
        events.append(version := proposed(each, number, name))
        events += POLICIES.decide(endorse(version), POLICIES.fold(events))
    return events


def test_the_newest_version_governs() -> None:
    found = governing(POLICIES.fold(in_force(spec(), spec(3))), Target(STAGE))
    assert [version.name for version in found] == [f"{NAME}/versions/2"]


def test_all_matching_policies_govern() -> None:
    other = proposed(spec(4), 1, OTHER)
    events = [*in_force(spec(), spec(3)), other]
    events += POLICIES.decide(endorse(other), POLICIES.fold(events))
    found = governing(POLICIES.fold(events), Target(STAGE))
    assert [version.name for version in found] == [f"{OTHER}/versions/1", f"{NAME}/versions/2"]


@pytest.mark.parametrize(
    ("tiers", "tier", "governs"),
    [([], "", True), (["high"], "high", True), (["high"], "", False), (["none"], "", True)],
)
def test_a_policy_may_govern_tiers(tiers: list[str], tier: str, governs: bool) -> None:
    found = governing(POLICIES.fold([published(spec(tiers=tiers))]), Target(STAGE, tier))
    assert bool(found) is governs


def test_a_version_that_is_not_what_its_digest_says_does_not_count() -> None:
    forged = published(spec(64), 2)
    forged.spec.quorum = 1
    (version,) = governing(POLICIES.fold([published(spec()), forged]), Target(STAGE))
    assert version.number == 1


def test_an_older_version_on_the_stream_does_not_count() -> None:
    history = [*in_force(spec(), spec(3)), published(spec(1), 1)]
    (version,) = governing(POLICIES.fold(history), Target(STAGE))
    assert version.spec.quorum == 3
