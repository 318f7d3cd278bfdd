"""The rules of names, as sentences: a name is a model's, or leads to one for ever."""

import pytest

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelRenamed
from assay_events.spec import Spec
from assay_metadata.domain.commands import (
    ArchiveModel,
    ClaimName,
    Command,
    CreateModel,
    RegisterVersion,
    RenameModel,
)
from assay_metadata.domain.model import MODEL
from tests.unit.assay_metadata.examples import (
    ATTRITION,
    CHURN,
    DIGEST,
    archived,
    claimed,
    created,
    renamed,
)

model = Spec(MODEL)
OTHER = "namespaces/default/models/other"


def test_a_free_name_is_claimed() -> None:
    model.given().when(ClaimName(ATTRITION, CHURN)).then(claimed)


def test_a_name_is_claimed_once() -> None:
    model.given(claimed).when(ClaimName(ATTRITION, CHURN)).then_nothing()


def test_a_claimed_name_leads_nowhere_else() -> None:
    model.given(claimed).when(ClaimName(ATTRITION, OTHER)).then_rejected(
        Reason.REASON_ALREADY_EXISTS
    )


def test_the_name_of_a_model_is_not_claimed() -> None:
    model.given(created).when(ClaimName(CHURN, OTHER)).then_rejected(Reason.REASON_ALREADY_EXISTS)


def test_no_model_is_created_under_a_claimed_name() -> None:
    model.given(claimed).when(CreateModel(ATTRITION)).then_rejected(Reason.REASON_ALREADY_EXISTS)


@pytest.mark.parametrize(
    "command",
    [
        RenameModel(ATTRITION, "x"),
        ArchiveModel(ATTRITION),
        RegisterVersion(ATTRITION, DIGEST),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_claimed_name_takes_nothing_and_says_where_it_leads(command: Command) -> None:
    refusal = model.given(claimed).when(command).then_rejected(Reason.REASON_NOT_FOUND)
    assert CHURN in refusal.message


def test_a_model_is_renamed_and_remembers_its_name_before() -> None:
    model.given(created).when(RenameModel(CHURN, "attrition")).then(renamed)
    model.given(created, renamed).when(RenameModel(CHURN, "churn")).then(
        ModelRenamed(name=CHURN, display_name="churn", previous_display_name="attrition")
    )


def test_a_model_that_is_called_so_already_is_not_renamed() -> None:
    model.given(created, renamed).when(RenameModel(CHURN, "attrition")).then_nothing()
    model.given(created).when(RenameModel(CHURN, "churn")).then_nothing()


def test_an_archived_model_is_not_renamed() -> None:
    model.given(created, archived).when(RenameModel(CHURN, "x")).then_rejected(
        Reason.REASON_MODEL_ARCHIVED
    )
