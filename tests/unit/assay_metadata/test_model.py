"""The rules of a model and its versions, as sentences over events."""

import math

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionUpdated,
)
from assay.type.v1.metric_pb2 import Metric
from assay_events.spec import Spec
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    Command,
    CreateModel,
    RegisterVersion,
    RestoreModel,
    SetTarget,
    UpdateModel,
    UpdateVersion,
)
from assay_metadata.domain.model import MODEL
from tests.unit.assay_metadata.examples import (
    CHAMPION,
    CHURN,
    DIGEST,
    PRODUCTION,
    alias_set,
    archived,
    created,
    described,
    registered,
    stage_set,
    version,
    version_archived,
)

model = Spec(MODEL)
DESCRIPTION = frozenset({"description"})
BOTH = frozenset({"description", "tags"})


def test_a_model_is_created_by_one_event() -> None:
    model.given().when(CreateModel(CHURN, "Who leaves", {"team": "risk"})).then(created)


def test_a_model_is_created_only_once() -> None:
    model.given(created).when(CreateModel(CHURN)).then_rejected(Reason.REASON_ALREADY_EXISTS)


def test_an_archived_model_keeps_its_name() -> None:
    model.given(created, archived).when(CreateModel(CHURN)).then_rejected(
        Reason.REASON_ALREADY_EXISTS
    )


def test_an_update_carries_the_old_and_the_new_value() -> None:
    change = UpdateModel(CHURN, DESCRIPTION, ModelFields(description="Who stays"))
    model.given(created).when(change).then(described("Who stays"))


def test_an_update_names_only_the_fields_that_differ() -> None:
    change = UpdateModel(CHURN, BOTH, ModelFields(description="Who leaves", tags={"team": "ops"}))
    model.given(created).when(change).then(
        ModelUpdated(
            name=CHURN,
            update_mask=FieldMask(paths=["tags"]),
            fields=ModelFields(tags={"team": "ops"}),
            previous_fields=ModelFields(tags={"team": "risk"}),
        )
    )


def test_an_update_leaves_fields_outside_its_mask_alone() -> None:
    change = UpdateModel(CHURN, DESCRIPTION, ModelFields(description="Who leaves", tags={"a": "b"}))
    model.given(created).when(change).then_nothing()


def test_an_update_can_empty_a_field() -> None:
    model.given(created).when(UpdateModel(CHURN, DESCRIPTION, ModelFields())).then(described(""))


def test_a_second_update_starts_from_the_first() -> None:
    change = UpdateModel(CHURN, DESCRIPTION, ModelFields(description="Who leaves"))
    model.given(created, described("Who stays")).when(change).then(
        described("Who leaves", before="Who stays")
    )


def test_a_model_is_archived_and_restored() -> None:
    model.given(created).when(ArchiveModel(CHURN)).then(ModelArchived(name=CHURN))
    model.given(created, archived).when(RestoreModel(CHURN)).then(ModelRestored(name=CHURN))


def test_archiving_and_restoring_twice_change_nothing() -> None:
    model.given(created, archived).when(ArchiveModel(CHURN)).then_nothing()
    model.given(created).when(RestoreModel(CHURN)).then_nothing()


def test_versions_are_numbered_from_one_without_gaps() -> None:
    model.given(created).when(RegisterVersion(CHURN, DIGEST)).then(registered(1))
    model.given(created, registered(1), version_archived(1)).when(
        RegisterVersion(CHURN, DIGEST)
    ).then(registered(2))


def test_a_version_seals_all_that_it_was_given() -> None:
    command = RegisterVersion(
        CHURN,
        DIGEST,
        size_bytes=12,
        file_count=2,
        description="First",
        metrics=(Metric(key="accuracy", value=0.9, unit="", dataset="sha256:1"),),
        params={"depth": "6"},
        tags={"team": "risk"},
        run="namespaces/default/runs/5f2a",
    )
    model.given(created).when(command).then(
        ModelVersionRegistered(
            name=version(1),
            number=1,
            manifest_digest=DIGEST,
            description="First",
            metrics=[Metric(key="accuracy", value=0.9, dataset="sha256:1")],
            params={"depth": "6"},
            tags={"team": "risk"},
            run="namespaces/default/runs/5f2a",
            size_bytes=12,
            file_count=2,
        )
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_must_be_finite(value: float) -> None:
    command = RegisterVersion(CHURN, DIGEST, metrics=(Metric(key="loss", value=value),))
    model.given(created).when(command).then_rejected(Reason.REASON_NOT_FINITE)


def test_a_metric_has_a_key() -> None:
    command = RegisterVersion(CHURN, DIGEST, metrics=(Metric(value=1),))
    model.given(created).when(command).then_rejected(Reason.REASON_REQUIRED)


def test_a_metric_has_one_value_a_dataset() -> None:
    twice = (Metric(key="loss", value=1), Metric(key="loss", value=2))
    model.given(created).when(RegisterVersion(CHURN, DIGEST, metrics=twice)).then_rejected(
        Reason.REASON_MALFORMED
    )


def test_a_metric_may_be_measured_on_two_datasets() -> None:
    both = (Metric(key="loss", value=1, dataset="a"), Metric(key="loss", value=2, dataset="b"))
    outcome = model.given(created).when(RegisterVersion(CHURN, DIGEST, metrics=both))
    assert len(outcome.events) == 1


def test_a_version_keeps_its_free_fields_up_to_date() -> None:
    change = UpdateVersion(CHURN, 1, DESCRIPTION, ModelFields(description="Better"))
    model.given(created, registered(1)).when(change).then(
        ModelVersionUpdated(
            name=version(1),
            update_mask=FieldMask(paths=["description"]),
            fields=ModelFields(description="Better"),
            previous_fields=ModelFields(),
        )
    )


def test_an_archived_version_may_still_be_described() -> None:
    change = UpdateVersion(CHURN, 1, DESCRIPTION, ModelFields(description="Withdrawn: biased"))
    outcome = model.given(created, registered(1), version_archived(1)).when(change)
    assert len(outcome.events) == 1


def test_a_version_is_archived_once() -> None:
    archive = ArchiveVersion(CHURN, 1)
    model.given(created, registered(1)).when(archive).then(ModelVersionArchived(name=version(1)))
    model.given(created, registered(1), version_archived(1)).when(archive).then_nothing()


def test_a_version_that_holds_a_stage_is_not_archived() -> None:
    refusal = (
        model.given(created, registered(1), stage_set(1))
        .when(ArchiveVersion(CHURN, 1))
        .then_rejected(Reason.REASON_VERSION_HELD)
    )
    assert refusal.metadata == {"version": version(1), "target": PRODUCTION}


def test_a_version_that_left_its_alias_may_be_archived() -> None:
    model.given(created, registered(1), registered(2), alias_set(1), alias_set(2, 1)).when(
        ArchiveVersion(CHURN, 1)
    ).then(ModelVersionArchived(name=version(1)))


@pytest.mark.parametrize(
    "command",
    [
        UpdateModel(CHURN, DESCRIPTION, ModelFields(description="x")),
        ArchiveModel(CHURN),
        RestoreModel(CHURN),
        RegisterVersion(CHURN, DIGEST),
        UpdateVersion(CHURN, 1, DESCRIPTION, ModelFields(description="x")),
        ArchiveVersion(CHURN, 1),
        SetTarget(CHURN, CHAMPION, 1),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_missing_model_takes_nothing(command: Command) -> None:
    model.given().when(command).then_rejected(Reason.REASON_NOT_FOUND)


@pytest.mark.parametrize(
    "command",
    [
        UpdateModel(CHURN, DESCRIPTION, ModelFields(description="x")),
        RegisterVersion(CHURN, DIGEST),
        UpdateVersion(CHURN, 1, DESCRIPTION, ModelFields(description="x")),
        ArchiveVersion(CHURN, 1),
        SetTarget(CHURN, CHAMPION, 1),
        SetTarget(CHURN, PRODUCTION, 1),
    ],
    ids=lambda command: type(command).__name__,
)
def test_an_archived_model_takes_nothing_new(command: Command) -> None:
    model.given(created, registered(1), archived).when(command).then_rejected(
        Reason.REASON_MODEL_ARCHIVED
    )


def test_a_restored_model_takes_versions_again() -> None:
    model.given(created, archived, ModelRestored(name=CHURN)).when(
        RegisterVersion(CHURN, DIGEST)
    ).then(registered(1))


@pytest.mark.parametrize(
    "command",
    [
        UpdateVersion(CHURN, 2, DESCRIPTION, ModelFields(description="x")),
        ArchiveVersion(CHURN, 2),
        SetTarget(CHURN, CHAMPION, 2),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_version_that_was_never_registered_takes_nothing(command: Command) -> None:
    refusal = (
        model.given(created, registered(1)).when(command).then_rejected(Reason.REASON_NOT_FOUND)
    )
    assert refusal.metadata == {"name": version(2)}


def test_every_command_is_about_the_model_that_it_names() -> None:
    outcome = model.given().when(CreateModel("namespaces/default/models/emoji 😀"))
    outcome.then(ModelCreated(name="namespaces/default/models/emoji 😀"))
