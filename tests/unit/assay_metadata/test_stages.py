"""Stage graphs, several holders with weights, promotion and rollback, as sentences over events."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    NamespaceCreated,
    NamespaceStageGraphSet,
    StageGraphSet,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import StageGraph, StageHolder, StageRule
from assay.names import MalformedName
from assay_events.decider import Invalid
from assay_events.spec import Spec
from assay_metadata.domain import graph
from assay_metadata.domain.commands import (
    EndGrant,
    Entrant,
    MoveByGrant,
    RollBack,
    SetStageGraph,
    SetTarget,
    UnsetTarget,
)
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE, SetNamespaceStageGraph
from tests.unit.assay_metadata.examples import (
    CHAMPION,
    CHURN,
    DIGEST,
    GRANT,
    OTHER_GRANT,
    PRODUCTION,
    alias_set,
    archived,
    created,
    registered,
    stage_set,
    version,
    version_archived,
)

STAGING = f"{CHURN}/stages/staging"
from_staging = StageGraph(rules=[StageRule(stage="production", from_stages=["staging", "shadow"])])
for_two = StageGraph(rules=[StageRule(stage="production", max_holders=2)])
model = Spec(MODEL).given(created, *(registered(number) for number in range(1, 5)))
staged = StageSet(name=STAGING, version=version(1))
graph_set = StageGraphSet(name=CHURN, graph=for_two, previous_graph=StageGraph())
to_production = SetTarget(CHURN, PRODUCTION, 1)
beside = replace(to_production, number=2, is_beside=True)


def holder(number: int, weight: int = 0, approval: str = "") -> StageHolder:
    return StageHolder(version=version(number), weight=weight, approval=approval)


def holders_set(*after: StageHolder, before: tuple[StageHolder, ...] = ()) -> StageHoldersSet:
    return StageHoldersSet(name=PRODUCTION, holders=after, previous_holders=before)


def back(target: str, *numbers: int) -> RollBack:
    return RollBack(CHURN, target, tuple(Entrant(number) for number in numbers))


shared = model.given(graph_set, holders_set(holder(1, 90), holder(2, 10)))


def test_a_version_enters_from_a_stage_that_the_graph_names() -> None:
    model.given(staged).when(replace(to_production, namespace_graph=from_staging)).then(
        stage_set(1)
    )


def test_a_refused_move_names_the_allowed_ones() -> None:
    move = replace(to_production, namespace_graph=from_staging)
    refusal = model.when(move).then_rejected(Reason.REASON_MOVE_NOT_ALLOWED)
    assert "staging or shadow" in refusal.message
    assert refusal.metadata["allowed"] == "staging, shadow"


def test_the_models_own_graph_goes_before_the_namespaces() -> None:
    move = replace(to_production, namespace_graph=from_staging)
    model.given(graph_set).when(move).then(stage_set(1))
    emptied = StageGraphSet(name=CHURN, previous_graph=for_two)
    model.given(graph_set, emptied).when(move).then_rejected(Reason.REASON_MOVE_NOT_ALLOWED)


def test_who_holds_the_stage_already_need_not_come_from_elsewhere() -> None:
    move = replace(to_production, namespace_graph=from_staging)
    model.given(stage_set(1)).when(move).then_nothing()


def test_an_alias_follows_no_graph() -> None:
    odd = StageGraph(rules=[StageRule(stage="champion", from_stages=["staging"])])
    model.when(SetTarget(CHURN, CHAMPION, 1, namespace_graph=odd)).then(alias_set(1))


def test_a_granted_move_that_the_graph_forbids_is_recorded() -> None:
    move = MoveByGrant(CHURN, PRODUCTION, 1, GRANT, DIGEST, namespace_graph=from_staging)
    (event,) = model.when(move).events
    assert isinstance(event, GrantedMoveRefused)
    assert event.refusal_reason == "REASON_MOVE_NOT_ALLOWED"


def test_a_graph_is_set_once_and_names_the_one_before() -> None:
    model.when(SetStageGraph(CHURN, for_two)).then(graph_set)
    model.given(graph_set).when(SetStageGraph(CHURN, for_two)).then_nothing()
    model.given(graph_set).when(SetStageGraph(CHURN, StageGraph())).then(
        StageGraphSet(name=CHURN, graph=StageGraph(), previous_graph=for_two)
    )
    model.given(archived).when(SetStageGraph(CHURN, for_two)).then_rejected(
        Reason.REASON_MODEL_ARCHIVED
    )


def test_a_namespace_has_a_graph_once_it_exists() -> None:
    name = "namespaces/default"
    there = Spec(NAMESPACE).given(NamespaceCreated(name=name))
    said = NamespaceStageGraphSet(name=name, graph=for_two, previous_graph=StageGraph())
    there.when(SetNamespaceStageGraph(name, for_two)).then(said)
    there.given(said).when(SetNamespaceStageGraph(name, for_two)).then_nothing()
    Spec(NAMESPACE).given().when(SetNamespaceStageGraph(name, for_two)).then_rejected(
        Reason.REASON_NOT_FOUND
    )


@pytest.mark.parametrize(
    "rules",
    [
        [StageRule(stage="a"), StageRule(stage="a")],
        [StageRule(stage="a", from_stages=["a"])],
        [StageRule(stage="a", from_stages=["b", "b"])],
        [StageRule(stage="a", max_holders=17)],
        [StageRule(stage="a", max_holders=-1)],
        [StageRule(stage="a/b")],
        [StageRule()],
        [StageRule(stage="a", from_stages=[""])],
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(rules: list[StageRule]) -> None:
    with pytest.raises((Invalid, MalformedName)):
        graph.parsed(StageGraph(rules=rules))


def test_a_graph_is_kept_in_one_spelling() -> None:
    parsed = graph.parsed(StageGraph(rules=[StageRule(stage="cafe\u0301")]))
    assert parsed.rules[0].stage == "caf\u00e9"


def test_a_version_enters_beside_another_where_the_graph_allows_it() -> None:
    model.given(graph_set, stage_set(1)).when(replace(beside, weight=10)).then(
        holders_set(holder(1), holder(2, 10), before=(holder(1),))
    )


def test_nobody_enters_beside_another_without_a_graph_for_several() -> None:
    refusal = model.given(stage_set(1)).when(beside).then_rejected(Reason.REASON_TOO_MANY_HOLDERS)
    assert refusal.metadata["max_holders"] == "1"


def test_more_holders_than_allowed_are_refused() -> None:
    shared.when(replace(beside, number=3)).then_rejected(Reason.REASON_TOO_MANY_HOLDERS)


def test_weights_over_100_are_refused() -> None:
    heavy = replace(beside, weight=20)
    refusal = shared.when(heavy).then_rejected(Reason.REASON_WEIGHT_EXCEEDED)
    assert refusal.metadata["total"] == "110"
    shared.when(replace(beside, weight=101)).then_rejected(Reason.REASON_MALFORMED)
    shared.when(replace(beside, weight=-1)).then_rejected(Reason.REASON_MALFORMED)


def test_a_stage_for_one_takes_no_weight() -> None:
    model.when(replace(to_production, weight=50)).then_rejected(Reason.REASON_TOO_MANY_HOLDERS)


def test_a_weight_changes_in_place() -> None:
    shared.when(replace(to_production, is_beside=True, weight=50)).then(
        holders_set(holder(1, 50), holder(2, 10), before=(holder(1, 90), holder(2, 10)))
    )
    shared.when(replace(beside, weight=10)).then_nothing()


def test_who_does_not_enter_beside_takes_the_stage_alone() -> None:
    shared.when(replace(to_production, number=2)).then(
        holders_set(holder(2), before=(holder(1, 90), holder(2, 10)))
    )


def test_unsetting_takes_all_holders_out() -> None:
    shared.when(UnsetTarget(CHURN, PRODUCTION)).then(
        holders_set(before=(holder(1, 90), holder(2, 10)))
    )


def test_the_end_of_a_grant_leaves_the_other_holders() -> None:
    both = holders_set(holder(1, 90, OTHER_GRANT), holder(2, 10, GRANT))
    model.given(graph_set, both).when(EndGrant(CHURN, PRODUCTION, 2, GRANT)).then(
        GrantEnded(name=CHURN, approval=GRANT, target=PRODUCTION, version=version(2)),
        holders_set(
            holder(1, 90, OTHER_GRANT),
            before=(holder(1, 90, OTHER_GRANT), holder(2, 10, GRANT)),
        ),
    )


def test_a_granted_version_pushes_nobody_out_where_several_may_hold() -> None:
    move = MoveByGrant(CHURN, PRODUCTION, 2, GRANT, DIGEST)
    model.given(graph_set, stage_set(1)).when(move).then(
        holders_set(holder(1), holder(2, approval=GRANT), before=(holder(1),))
    )
    (refused,) = shared.when(replace(move, number=3)).events
    assert isinstance(refused, GrantedMoveRefused)
    assert refused.refusal_reason == "REASON_TOO_MANY_HOLDERS"


def test_a_promotion_archives_who_leaves() -> None:
    promote = SetTarget(CHURN, PRODUCTION, 2, is_previous_archived=True)
    model.given(stage_set(1)).when(promote).then(stage_set(2, previous=1), version_archived(1))
    model.when(promote).then(stage_set(2))
    model.given(stage_set(2)).when(promote).then_nothing()


def test_a_promotion_does_not_archive_who_holds_something_else() -> None:
    promote = SetTarget(CHURN, PRODUCTION, 2, is_previous_archived=True)
    refusal = (
        model.given(stage_set(1), alias_set(1))
        .when(promote)
        .then_rejected(Reason.REASON_VERSION_HELD)
    )
    assert refusal.metadata["target"] == CHAMPION


def test_a_rollback_gives_the_target_back() -> None:
    expected = stage_set(1, previous=2)
    expected.is_rollback = True
    history = model.given(stage_set(1), stage_set(2, 1))
    history.when(back(PRODUCTION, 1)).then(expected)
    alias = alias_set(1, previous=2)
    alias.is_rollback = True
    model.given(alias_set(1), alias_set(2, 1)).when(back(CHAMPION, 1)).then(alias)


def test_a_second_rollback_goes_further_back() -> None:
    rolled = stage_set(2, previous=3)
    rolled.is_rollback = True
    history = model.given(stage_set(1), stage_set(2, 1), stage_set(3, 2), rolled)
    expected = stage_set(1, previous=2)
    expected.is_rollback = True
    history.when(back(PRODUCTION, 1)).then(expected)
    history.given(expected).when(back(PRODUCTION)).then_rejected(Reason.REASON_NOTHING_BEFORE)


def test_a_rollback_after_an_unset_gives_the_last_holder_back() -> None:
    unset = AliasUnset(name=CHAMPION, previous_version=version(1))
    expected = alias_set(1)
    expected.is_rollback = True
    model.given(alias_set(1), unset).when(back(CHAMPION, 1)).then(expected)


def test_without_a_holder_before_nothing_is_rolled_back() -> None:
    model.given(stage_set(1)).when(back(PRODUCTION)).then_rejected(Reason.REASON_NOTHING_BEFORE)


def test_a_rollback_to_an_archived_version_is_refused() -> None:
    model.given(stage_set(1), stage_set(2, 1), version_archived(1)).when(
        back(PRODUCTION, 1)
    ).then_rejected(Reason.REASON_VERSION_ARCHIVED)


def test_a_rollback_of_a_governed_stage_needs_a_live_grant() -> None:
    history = model.given(stage_set(1, approval=GRANT), stage_set(2, 1, OTHER_GRANT))
    bare = RollBack(CHURN, PRODUCTION, (Entrant(1, is_governed=True),))
    history.when(bare).then_rejected(Reason.REASON_APPROVAL_REQUIRED)
    ended = GrantEnded(name=CHURN, approval=GRANT, target=PRODUCTION, version=version(1))
    stale = RollBack(CHURN, PRODUCTION, (Entrant(1, is_governed=True, approval=GRANT),))
    history.given(ended).when(stale).then_rejected(Reason.REASON_APPROVAL_REVOKED)
    expected = stage_set(1, previous=2, approval=GRANT)
    expected.is_rollback = True
    history.when(stale).then(expected)


def test_a_rollback_that_lost_a_race_is_aborted() -> None:
    history = model.given(stage_set(1), stage_set(2, 1), stage_set(3, 2))
    history.when(back(PRODUCTION, 1)).then_rejected(Reason.REASON_HOLDER_MISMATCH)
    raced = replace(back(PRODUCTION, 2), is_holder_expected=True, expected_number=2)
    history.when(raced).then_rejected(Reason.REASON_HOLDER_MISMATCH)


def test_a_rollback_gives_all_holders_back() -> None:
    alone = holders_set(holder(3), before=(holder(1, 90), holder(2, 10)))
    expected = holders_set(holder(1, 90), holder(2, 10), before=(holder(3),))
    expected.is_rollback = True
    shared.given(alone).when(back(PRODUCTION, 1, 2)).then(expected)


def test_a_rollback_makes_no_more_holders_than_the_graph_has_room_for() -> None:
    alone = holders_set(holder(3), before=(holder(1, 90), holder(2, 10)))
    for_one = StageGraphSet(name=CHURN, previous_graph=for_two)
    shared.given(alone, for_one).when(back(PRODUCTION, 1, 2)).then_rejected(
        Reason.REASON_TOO_MANY_HOLDERS
    )


def test_a_stage_that_nobody_holds_is_rolled_back_too() -> None:
    unset = StageUnset(name=PRODUCTION, previous_version=version(2))
    expected = stage_set(2)
    expected.is_rollback = True
    model.given(stage_set(1), stage_set(2, 1), unset).when(back(PRODUCTION, 2)).then(expected)


@given(st.lists(st.integers(1, 4), min_size=40, max_size=60))
def test_no_more_than_32_holders_are_remembered(moves: list[int]) -> None:
    history, before = model, 0
    for number in moves:
        history, before = history.given(stage_set(number, before)), number
    assert len(MODEL.fold(history.history).earlier[PRODUCTION]) <= 32
