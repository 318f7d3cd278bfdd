"""The rules of drafts, cards, references and semantic versions, as sentences over events."""

from dataclasses import replace

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    ModelFields,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
)
from assay.metadata.v1.resources_pb2 import ModelCard
from assay_events.spec import Spec
from assay_metadata.domain.commands import (
    ArchiveVersion,
    RegisterVersion,
    RestoreVersion,
    SealVersion,
    SetTarget,
    UpdateModel,
    UpdateVersion,
)
from assay_metadata.domain.model import MODEL
from tests.unit.assay_metadata.examples import (
    CHAMPION,
    CHURN,
    DIGEST,
    created,
    drafted,
    registered,
    version,
    version_archived,
)

model = Spec(MODEL).given(created)
register = RegisterVersion(CHURN, DIGEST)
draft = RegisterVersion(CHURN, "", is_draft=True)
seal = SealVersion(CHURN, 1, DIGEST, size_bytes=12, file_count=2)
sealed = ModelVersionSealed(name=version(1), manifest_digest=DIGEST, size_bytes=12, file_count=2)
OTHER_DIGEST = "sha256:" + "0" * 64


def test_a_draft_has_a_number_and_no_files() -> None:
    model.when(draft).then(drafted(1))
    model.when(replace(draft, manifest_digest=DIGEST)).then_rejected(Reason.REASON_MALFORMED)
    model.when(replace(draft, external_uri="oci://x")).then_rejected(Reason.REASON_MALFORMED)


def test_a_version_that_is_no_draft_has_files() -> None:
    model.when(RegisterVersion(CHURN, "")).then_rejected(Reason.REASON_REQUIRED)


def test_a_draft_is_sealed_once() -> None:
    model.given(drafted(1)).when(seal).then(sealed)
    model.given(drafted(1), sealed).when(seal).then_nothing()
    model.given(drafted(1), sealed).when(replace(seal, manifest_digest=OTHER_DIGEST)).then_rejected(
        Reason.REASON_VERSION_SEALED
    )


def test_a_version_that_was_never_a_draft_is_sealed_already() -> None:
    model.given(registered(1)).when(seal).then_nothing()
    other = replace(seal, manifest_digest=OTHER_DIGEST)
    model.given(registered(1)).when(other).then_rejected(Reason.REASON_VERSION_SEALED)


def test_a_draft_holds_nothing_until_it_is_sealed() -> None:
    move = SetTarget(CHURN, CHAMPION, 1)
    model.given(drafted(1)).when(move).then_rejected(Reason.REASON_VERSION_DRAFT)
    assert model.given(drafted(1), sealed).when(move).events


def test_an_archived_draft_is_restored_before_it_is_sealed() -> None:
    model.given(drafted(1)).when(ArchiveVersion(CHURN, 1)).then(
        ModelVersionArchived(name=version(1))
    )
    model.given(drafted(1), version_archived(1)).when(seal).then_rejected(
        Reason.REASON_VERSION_ARCHIVED
    )
    model.given(drafted(1), version_archived(1)).when(RestoreVersion(CHURN, 1)).then(
        ModelVersionRestored(name=version(1), is_draft=True)
    )


def test_a_version_is_restored_once() -> None:
    restored = ModelVersionRestored(name=version(1))
    restore = RestoreVersion(CHURN, 1)
    model.given(registered(1), version_archived(1)).when(restore).then(restored)
    model.given(registered(1), version_archived(1), restored).when(restore).then_nothing()
    model.when(restore).then_rejected(Reason.REASON_NOT_FOUND)


def test_a_semantic_version_is_given_once() -> None:
    first = registered(1)
    first.semantic_version = "1.0.0"
    again = replace(register, semantic_version="1.0.0")
    model.given(first).when(again).then_rejected(Reason.REASON_ALREADY_EXISTS)
    model.given(first, version_archived(1)).when(again).then_rejected(Reason.REASON_ALREADY_EXISTS)
    assert model.given(first).when(replace(again, semantic_version="1.0.1")).events


def test_a_version_is_not_made_from_one_that_is_not_there() -> None:
    child = replace(register, parent_versions=(version(1),))
    model.when(child).then_rejected(Reason.REASON_NOT_FOUND)
    model.given(registered(1)).when(child).then(
        ModelVersionRegistered(
            name=version(2), number=2, manifest_digest=DIGEST, parent_versions=[version(1)]
        )
    )


def test_a_card_changes_as_a_whole() -> None:
    before = registered(1)
    before.card.CopyFrom(ModelCard(schema="assay/card/v1", purpose="Who leaves"))
    after = ModelCard(schema="assay/card/v1", limits="Not for children")
    change = UpdateVersion(CHURN, 1, frozenset({"card"}), ModelFields(card=after))
    model.given(before).when(change).then(
        ModelVersionUpdated(
            name=version(1),
            update_mask=FieldMask(paths=["card"]),
            fields=ModelFields(card=after),
            previous_fields=ModelFields(card=before.card),
        )
    )


def test_a_card_is_taken_away() -> None:
    before = registered(1)
    before.card.CopyFrom(ModelCard(schema="assay/card/v1", purpose="Who leaves"))
    change = UpdateVersion(CHURN, 1, frozenset({"card"}), ModelFields())
    model.given(before).when(change).then(
        ModelVersionUpdated(
            name=version(1),
            update_mask=FieldMask(paths=["card"]),
            fields=ModelFields(),
            previous_fields=ModelFields(card=before.card),
        )
    )


def test_owners_and_tier_change_with_what_they_were() -> None:
    given = ModelFields(owners=["teams/risk"], tier="high", intended_use="not named")
    change = UpdateModel(CHURN, frozenset({"owners", "tier"}), given)
    model.when(change).then(
        ModelUpdated(
            name=CHURN,
            update_mask=FieldMask(paths=["owners", "tier"]),
            fields=ModelFields(owners=["teams/risk"], tier="high"),
            previous_fields=ModelFields(),
        )
    )


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("owners", ModelFields(owners=["\u202e"])),
        ("owners", ModelFields(owners=["a", "a"])),
        ("tier", ModelFields(tier="Not a tier")),
    ],
)
def test_a_free_field_has_a_form(path: str, given: ModelFields) -> None:
    model.when(UpdateModel(CHURN, frozenset({path}), given)).then_rejected(Reason.REASON_MALFORMED)


@pytest.mark.parametrize("text", ["0.0.0", "1.2.3-rc.1", "1.2.3+build.05", "10.20.30-a-b.0x"])
def test_these_are_semantic_versions(text: str) -> None:
    assert model.when(replace(register, semantic_version=text)).events


@pytest.mark.parametrize("text", ["1.2", "01.2.3", "1.2.3-01", "1.2.3-", "v1.2.3", "1.2.3\n"])
def test_these_are_none(text: str) -> None:
    model.when(replace(register, semantic_version=text)).then_rejected(Reason.REASON_MALFORMED)


@pytest.mark.parametrize("uri", ["nowhere", "s3://ann:secret@host/x", "oci://a b", "x:\n"])
def test_a_reference_is_a_uri_without_a_password(uri: str) -> None:
    model.when(replace(register, external_uri=uri)).then_rejected(Reason.REASON_MALFORMED)
