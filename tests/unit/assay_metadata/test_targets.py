"""Who may hold an alias or a stage, as sentences over events."""

from dataclasses import replace

import pytest

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    ModelCreated,
    ModelVersionRegistered,
    StageSet,
    StageUnset,
)
from assay_events.spec import Spec
from assay_metadata.domain.commands import EndGrant, MoveByGrant, SetTarget, UnsetTarget
from assay_metadata.domain.model import MODEL
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

model = Spec(MODEL).given(created, registered(1), registered(2))
granted_move = MoveByGrant(CHURN, PRODUCTION, 1, GRANT, DIGEST)
end_of_grant = EndGrant(CHURN, PRODUCTION, 1, GRANT)
ended = GrantEnded(name=CHURN, approval=GRANT, target=PRODUCTION, version=version(1))


def refused(reason: str, message: str, number: int = 1) -> GrantedMoveRefused:
    return GrantedMoveRefused(
        name=PRODUCTION,
        version=version(number),
        approval=GRANT,
        refusal_reason=reason,
        message=message,
    )


def test_an_alias_is_pointed_at_a_version() -> None:
    model.when(SetTarget(CHURN, CHAMPION, 1)).then(alias_set(1))


def test_a_move_names_the_holder_before() -> None:
    model.given(alias_set(1)).when(SetTarget(CHURN, CHAMPION, 2)).then(alias_set(2, previous=1))
    model.given(stage_set(1)).when(SetTarget(CHURN, PRODUCTION, 2)).then(stage_set(2, previous=1))


def test_moving_to_the_holder_changes_nothing() -> None:
    model.given(stage_set(1)).when(SetTarget(CHURN, PRODUCTION, 1)).then_nothing()


def test_an_alias_and_a_stage_of_one_id_are_two_things() -> None:
    stage = SetTarget(CHURN, f"{CHURN}/stages/champion", 2)
    model.given(alias_set(1)).when(stage).then(
        StageSet(name=f"{CHURN}/stages/champion", version=version(2))
    )


def test_a_model_may_be_called_aliases() -> None:
    name = "namespaces/default/models/aliases"
    first = ModelVersionRegistered(name=f"{name}/versions/1", number=1)
    Spec(MODEL).given(ModelCreated(name=name), first).when(
        SetTarget(name, f"{name}/stages/production", 1)
    ).then(StageSet(name=f"{name}/stages/production", version=f"{name}/versions/1"))


def test_an_archived_version_holds_nothing_new() -> None:
    model.given(version_archived(1)).when(SetTarget(CHURN, CHAMPION, 1)).then_rejected(
        Reason.REASON_VERSION_ARCHIVED
    )


@pytest.mark.parametrize("expected", [0, 2])
def test_an_unexpected_holder_aborts_the_move(expected: int) -> None:
    move = SetTarget(CHURN, CHAMPION, 2, is_holder_expected=True, expected_number=expected)
    refusal = model.given(alias_set(1)).when(move).then_rejected(Reason.REASON_HOLDER_MISMATCH)
    assert refusal.metadata["holder"] == version(1)


def test_the_expected_holder_lets_the_move_through() -> None:
    move = SetTarget(CHURN, CHAMPION, 2, is_holder_expected=True, expected_number=1)
    model.given(alias_set(1)).when(move).then(alias_set(2, previous=1))


def test_nobody_may_be_expected() -> None:
    move = SetTarget(CHURN, CHAMPION, 1, is_holder_expected=True)
    model.when(move).then(alias_set(1))


def test_unsetting_leaves_the_target_to_nobody() -> None:
    model.given(alias_set(1)).when(UnsetTarget(CHURN, CHAMPION)).then(
        AliasUnset(name=CHAMPION, previous_version=version(1))
    )
    model.given(stage_set(2)).when(UnsetTarget(CHURN, PRODUCTION)).then(
        StageUnset(name=PRODUCTION, previous_version=version(2))
    )


def test_unsetting_twice_changes_nothing() -> None:
    unset = AliasUnset(name=CHAMPION, previous_version=version(1))
    model.given(alias_set(1), unset).when(UnsetTarget(CHURN, CHAMPION)).then_nothing()


def test_what_was_never_set_cannot_be_unset() -> None:
    model.when(UnsetTarget(CHURN, CHAMPION)).then_rejected(Reason.REASON_NOT_FOUND)


def test_an_archived_model_lets_its_holders_go() -> None:
    model.given(alias_set(1), archived).when(UnsetTarget(CHURN, CHAMPION)).then(
        AliasUnset(name=CHAMPION, previous_version=version(1))
    )


def test_a_governed_stage_needs_a_grant_and_says_how_to_ask() -> None:
    refusal = model.when(SetTarget(CHURN, PRODUCTION, 1, is_governed=True)).then_rejected(
        Reason.REASON_APPROVAL_REQUIRED
    )
    assert refusal.message.endswith("assay approval request churn/1 --stage production")
    assert refusal.metadata["command"] == "assay approval request churn/1 --stage production"


def test_a_governed_alias_says_how_to_ask() -> None:
    refusal = model.when(SetTarget(CHURN, CHAMPION, 2, is_governed=True)).then_rejected(
        Reason.REASON_APPROVAL_REQUIRED
    )
    assert refusal.message.endswith("assay approval request churn/2 --alias champion")


def test_the_command_to_run_survives_a_shell() -> None:
    name = "namespaces/risk/models/it's $HOME"
    history = (
        ModelCreated(name=name),
        ModelVersionRegistered(name=f"{name}/versions/1", number=1),
    )
    move = SetTarget(name, f"{name}/stages/pro duction", 1, is_governed=True)
    refusal = Spec(MODEL).given(*history).when(move).then_rejected(Reason.REASON_APPROVAL_REQUIRED)
    assert refusal.message.endswith(
        "assay approval request 'namespaces/risk/models/it'\"'\"'s $HOME/versions/1'"
        " --stage 'pro duction'"
    )


def test_a_holder_without_a_grant_does_not_excuse_the_next_move() -> None:
    model.given(stage_set(1)).when(SetTarget(CHURN, PRODUCTION, 1, is_governed=True)).then_rejected(
        Reason.REASON_APPROVAL_REQUIRED
    )


def test_a_grant_lets_a_version_in_by_hand() -> None:
    move = SetTarget(CHURN, PRODUCTION, 1, is_governed=True, approval=GRANT)
    model.when(move).then(stage_set(1, approval=GRANT))


def test_a_newer_grant_takes_the_place_of_the_older() -> None:
    move = SetTarget(CHURN, PRODUCTION, 1, is_governed=True, approval=OTHER_GRANT)
    model.given(stage_set(1, approval=GRANT)).when(move).then(
        stage_set(1, previous=1, approval=OTHER_GRANT)
    )


def test_a_revoked_grant_lets_nobody_in() -> None:
    move = SetTarget(CHURN, PRODUCTION, 1, is_governed=True, approval=GRANT)
    model.given(ended).when(move).then_rejected(Reason.REASON_APPROVAL_REVOKED)


def test_a_granted_version_moves_by_itself() -> None:
    model.given(stage_set(2)).when(granted_move).then(stage_set(1, previous=2, approval=GRANT))


def test_a_granted_alias_moves_by_itself() -> None:
    model.when(replace(granted_move, target=CHAMPION)).then(alias_set(1, approval=GRANT))


def test_a_granted_move_by_hand_leaves_nothing_to_the_reaction() -> None:
    model.given(stage_set(1, approval=GRANT)).when(granted_move).then_nothing()


def test_a_granted_move_that_a_rule_forbids_is_recorded() -> None:
    model.given(archived).when(granted_move).then(
        refused("REASON_MODEL_ARCHIVED", f"Restore {CHURN} first: it is archived.")
    )
    model.given(version_archived(1)).when(granted_move).then(
        refused("REASON_VERSION_ARCHIVED", f"Choose another version: {version(1)} is archived.")
    )
    model.given(ended).when(granted_move).then(
        refused("REASON_APPROVAL_REVOKED", f"Ask for a new approval: {GRANT} was revoked.")
    )


def test_a_grant_for_a_missing_model_or_version_is_recorded_as_refused() -> None:
    Spec(MODEL).given().when(granted_move).then(
        refused("REASON_NOT_FOUND", f"{CHURN} does not exist.")
    )
    model.when(replace(granted_move, number=3)).then(
        refused("REASON_NOT_FOUND", f"{version(3)} does not exist.", number=3)
    )


def test_a_grant_of_another_manifest_is_recorded_as_refused() -> None:
    model.when(replace(granted_move, manifest_digest="sha256:00")).then(
        refused("REASON_DIGEST_MISMATCH", "Ask again: the grant covers another manifest.")
    )


def test_a_grant_that_the_approval_service_does_not_confirm_is_recorded_as_refused() -> None:
    unconfirmed = replace(
        granted_move,
        refusal_reason=Reason.REASON_NOT_GRANTED,
        refusal_message="The approval is not granted.",
    )
    model.when(unconfirmed).then(refused("REASON_NOT_GRANTED", "The approval is not granted."))


def test_the_end_of_a_grant_takes_the_version_out() -> None:
    model.given(stage_set(1, approval=GRANT)).when(end_of_grant).then(
        ended, StageUnset(name=PRODUCTION, previous_version=version(1), approval=GRANT)
    )


def test_the_end_of_a_grant_takes_the_alias_away() -> None:
    held = AliasSet(name=CHAMPION, version=version(1), approval=GRANT)
    model.given(held).when(replace(end_of_grant, target=CHAMPION)).then(
        GrantEnded(name=CHURN, approval=GRANT, target=CHAMPION, version=version(1)),
        AliasUnset(name=CHAMPION, previous_version=version(1)),
    )


def test_the_end_of_a_grant_is_noted_even_where_nothing_holds_by_it() -> None:
    model.when(end_of_grant).then(ended)


def test_the_end_of_a_grant_leaves_who_holds_by_another() -> None:
    model.given(stage_set(1, approval=OTHER_GRANT)).when(end_of_grant).then(ended)
    model.given(stage_set(1, approval=GRANT), stage_set(2, 1)).when(end_of_grant).then(ended)


def test_the_end_of_a_grant_is_noted_on_an_archived_model() -> None:
    model.given(stage_set(1, approval=GRANT), archived).when(end_of_grant).then(
        ended, StageUnset(name=PRODUCTION, previous_version=version(1), approval=GRANT)
    )


def test_the_end_of_a_grant_is_noted_once() -> None:
    model.given(ended).when(end_of_grant).then_nothing()
