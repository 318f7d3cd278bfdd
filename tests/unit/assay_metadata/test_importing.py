"""A batch of an import: each item by its own rule, all or nothing."""

import pytest

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    ModelCreated,
    ModelVersionArchived,
    StageGraphSet,
    StageHoldersSet,
)
from assay.metadata.v1.resources_pb2 import StageGraph, StageHolder, StageRule
from assay_events.decider import Aborted, Invalid, Refusal
from assay_events.spec import Spec
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    Command,
    CreateModel,
    ImportBatch,
    ImportItem,
    RegisterVersion,
    SetStageGraph,
    SetTarget,
)
from assay_metadata.domain.importing import MOST_EVENTS
from assay_metadata.domain.model import MODEL
from tests.unit.assay_metadata.examples import (
    CHAMPION,
    CHURN,
    DIGEST,
    GRANT,
    PRODUCTION,
    alias_set,
    archived,
    created,
    drafted,
    registered,
    stage_set,
    version,
)

model = Spec(MODEL)
SHARED = StageGraph(rules=[StageRule(stage="production", max_holders=2)])
REGISTER = RegisterVersion(CHURN, DIGEST)
DRAFT = RegisterVersion(CHURN, "", is_draft=True)


def batch(*items: ImportItem) -> ImportBatch:
    return ImportBatch(CHURN, items)


def item(*commands: Command, number: int = 0, at: int = 0) -> ImportItem:
    return ImportItem(f"items[{at}].it", commands, number, is_number_given=True)


def refusal(*items: ImportItem) -> Refusal:
    """Return how a batch about a model with one version is refused."""
    with pytest.raises(Refusal) as caught:
        MODEL.decide(batch(*items), MODEL.fold([created, registered(1)]))
    return caught.value


def test_a_batch_writes_what_its_items_would_have_written_one_by_one() -> None:
    model.given().when(
        batch(
            item(CreateModel(CHURN, "Who leaves", {"team": "risk"})),
            item(REGISTER, number=1),
            item(DRAFT, ArchiveVersion(CHURN, 2), number=2),
            item(SetTarget(CHURN, CHAMPION, 1)),
            item(SetTarget(CHURN, PRODUCTION, 1, is_governed=True, approval=GRANT)),
        )
    ).then(
        ModelCreated(name=CHURN, description="Who leaves", tags={"team": "risk"}),
        registered(1),
        drafted(2),
        ModelVersionArchived(name=version(2)),
        alias_set(1),
        stage_set(1, approval=GRANT),
    )


def test_a_model_is_archived_after_what_it_has() -> None:
    model.given(created).when(
        batch(item(REGISTER), item(SetStageGraph(CHURN, SHARED), ArchiveModel(CHURN)))
    ).then(
        registered(1),
        StageGraphSet(name=CHURN, graph=SHARED, previous_graph=StageGraph()),
        archived,
    )


def test_an_archived_model_takes_no_more_items() -> None:
    refused = refusal(item(ArchiveModel(CHURN)), item(REGISTER, at=1))
    assert refused.reason == Reason.REASON_MODEL_ARCHIVED
    assert refused.metadata["item"] == "items[1].it"


def test_holders_enter_a_stage_at_once() -> None:
    moves = (
        SetTarget(CHURN, PRODUCTION, 2, weight=90),
        SetTarget(CHURN, PRODUCTION, 1, weight=10, is_beside=True),
    )
    state = MODEL.fold([created, registered(1), registered(2), StageGraphSet(graph=SHARED)])
    (event,) = MODEL.decide(batch(item(*moves)), state)
    assert event == StageHoldersSet(
        name=PRODUCTION,
        holders=[
            StageHolder(version=version(2), weight=90),
            StageHolder(version=version(1), weight=10),
        ],
    )
    assert MODEL.evolve(state, event).before(PRODUCTION) == ()


def test_more_holders_than_the_graph_allows_are_refused() -> None:
    moves = (
        SetTarget(CHURN, PRODUCTION, 1),
        SetTarget(CHURN, PRODUCTION, 2, is_beside=True),
    )
    refused = refusal(item(REGISTER), item(*moves, at=1))
    assert refused.reason == Reason.REASON_TOO_MANY_HOLDERS


def test_a_number_that_leaves_a_gap_is_refused_with_its_field() -> None:
    refused = refusal(item(REGISTER, number=2), item(REGISTER, number=4, at=1))
    assert isinstance(refused, Invalid)
    assert refused.field == "items[1].it.number"
    assert refused.message == ("items[1].it: Number the versions without gaps: 3 is next, not 4.")


def test_a_number_that_somebody_else_took_meanwhile_is_tried_again() -> None:
    refused = refusal(ImportItem("items[0].it", (REGISTER,), 1))
    assert isinstance(refused, Aborted)
    assert refused.reason == Reason.REASON_LOST_RACE


def test_a_governed_move_without_a_grant_is_refused() -> None:
    refused = refusal(item(SetTarget(CHURN, PRODUCTION, 1, is_governed=True)))
    assert refused.reason == Reason.REASON_APPROVAL_REQUIRED
    assert refused.message.startswith("items[0].it: A policy governs")
    assert refused.metadata["target"] == PRODUCTION


def test_more_events_than_an_append_holds_are_refused() -> None:
    archiving = [
        item(DRAFT, ArchiveVersion(CHURN, number), number=number)
        for number in range(2, 2 + MOST_EVENTS // 2)
    ]
    assert isinstance(refusal(*archiving, item(REGISTER)), Invalid)
    state = MODEL.fold([created, registered(1)])
    assert len(MODEL.decide(batch(*archiving), state)) == MOST_EVENTS


def test_an_empty_batch_writes_nothing() -> None:
    model.given(created).when(batch()).then()
