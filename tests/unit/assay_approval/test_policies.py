"""The rules of policies, told as stories."""

from dataclasses import replace

import pytest

from assay import names
from assay.approval.v1.events_pb2 import PolicyPublished
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.policies import POLICIES, PublishPolicy, governing
from assay_approval.signatures import policy_digest
from assay_events.decider import Invalid
from assay_events.spec import Spec

policies = Spec(POLICIES)
HUMAN = ActorKind.ACTOR_KIND_HUMAN
NAME = "namespaces/default/policies/production"
OTHER = "namespaces/default/policies/other"


def spec(quorum: int = 2, **parts: object) -> PolicySpec:
    made = {"models": ["churn"], "stages": ["production"], **parts}
    return PolicySpec(quorum=quorum, **made)  # type: ignore[arg-type]


def publish(policy: PolicySpec, name: str = NAME, known_number: int = 0) -> PublishPolicy:
    return PublishPolicy(name, policy, HUMAN, known_number)


def published(
    policy: PolicySpec, number: int = 1, name: str = NAME, *, founding: bool | None = None
) -> PolicyPublished:
    return PolicyPublished(
        name=f"{name}/versions/{number}",
        number=number,
        spec=policy,
        digest=policy_digest(policy),
        founding=number == 1 if founding is None else founding,
    )


def test_the_first_version_is_number_one_and_founding() -> None:
    policies.given().when(publish(spec())).then(published(spec()))


def test_the_next_version_counts_on_and_keeps_what_was() -> None:
    second = published(spec(3), 2)
    second.previous_spec.CopyFrom(spec(2))
    policies.given(published(spec(2))).when(publish(spec(3))).then(second)


def test_a_second_policy_is_not_founding() -> None:
    other = published(spec(), name=OTHER, founding=False)
    policies.given(published(spec())).when(publish(spec(), OTHER)).then(other)


def test_the_same_words_again_change_nothing() -> None:
    policies.given(published(spec())).when(publish(spec())).then_nothing()


def test_order_and_repetition_of_ids_say_nothing_new() -> None:
    before = published(spec(models=["a", "b"]))
    policies.given(before).when(publish(spec(models=["b", "a", "b"]))).then_nothing()


def test_a_version_on_top_of_an_old_one_is_refused() -> None:
    outcome = policies.given(published(spec()), published(spec(3), 2))
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
    command = PublishPolicy(NAME, spec(), ActorKind.ACTOR_KIND_WORKLOAD)
    policies.given().when(command).then_rejected(Reason.REASON_HUMAN_REQUIRED)


def test_once_a_policy_governs_a_stranger_publishes_none() -> None:
    stranger = replace(publish(spec(1)), is_trusted=False)
    policies.given().when(stranger).then(published(spec(1)))
    known = policies.given(published(spec()))
    known.when(stranger).then_rejected(Reason.REASON_KEY_NOT_ENROLLED)


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
        (spec(stages=[], aliases=["champion"]), ALIAS, True),
        (spec(stages=[], aliases=["production"]), STAGE, False),
    ],
)
def test_a_policy_governs_what_it_selects(
    policy: PolicySpec, target: names.AliasName | names.StageName, governs: bool
) -> None:
    found = governing(POLICIES.fold([published(policy)]), target)
    assert [version.name for version in found] == ([f"{NAME}/versions/1"] if governs else [])


def test_the_newest_version_governs_and_all_matching_policies_do() -> None:
    history = [published(spec()), published(spec(3), 2), published(spec(4), name=OTHER)]
    found = governing(POLICIES.fold(history), STAGE)
    assert [version.name for version in found] == [f"{OTHER}/versions/1", f"{NAME}/versions/2"]


def test_a_version_that_is_not_what_its_digest_says_does_not_count() -> None:
    forged = published(spec(64), 2)
    forged.spec.quorum = 1
    (version,) = governing(POLICIES.fold([published(spec()), forged]), STAGE)
    assert version.number == 1


def test_an_older_version_on_the_stream_does_not_count() -> None:
    history = [published(spec()), published(spec(3), 2), published(spec(1), 1)]
    (version,) = governing(POLICIES.fold(history), STAGE)
    assert version.spec.quorum == 3
