"""What holds of a model whatever is asked of it."""

from collections.abc import Sequence

from hypothesis import given

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    ModelVersionRegistered,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay_events.decider import Refusal
from assay_events.spec import run
from assay_metadata.domain.commands import Command, Entrant, MoveByGrant, RollBack
from assay_metadata.domain.graph import MOST_HOLDERS
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Event, Model, numbers
from tests.property.assay_metadata.scripts import MODEL_NAME, SHARED, scripts


def live(script: list[Command]) -> tuple[list[Event], Model]:
    """Return the events and the state as a command handler keeps them."""
    state, history = MODEL.initial, list[Event]()
    for command in script:
        try:
            events = MODEL.decide(command, state)
        except Refusal:
            continue
        state = _after(state, events)
        history += events
    return history, state


def _after(state: Model, events: Sequence[Event]) -> Model:
    for event in events:
        state = MODEL.evolve(state, event)
    return state


@given(scripts)
def test_a_replay_gives_the_live_state(script: list[Command]) -> None:
    history, state = live(script)
    through_bytes = [type(event).FromString(event.SerializeToString()) for event in history]
    assert MODEL.fold(through_bytes) == state


@given(scripts)
def test_version_numbers_have_no_gap(script: list[Command]) -> None:
    registered = [e for e in run(MODEL, script) if isinstance(e, ModelVersionRegistered)]
    assert [event.number for event in registered] == list(range(1, len(registered) + 1))


@given(scripts)
def test_a_seal_never_breaks_and_a_draft_holds_nothing(script: list[Command]) -> None:
    state = MODEL.initial
    for event in run(MODEL, script):
        digests = {number: v.manifest_digest for number, v in state.versions.items()}
        state = MODEL.evolve(state, event)
        for number, digest in digests.items():
            assert state.versions[number].manifest_digest == digest or not digest
        drafts = [number for number, version in state.versions.items() if version.is_draft]
        assert not [number for number in drafts if state.held_by(number)]


@given(scripts)
def test_a_semantic_version_names_one_version(script: list[Command]) -> None:
    _, state = live(script)
    given_versions = [v.registered.semantic_version for v in state.versions.values()]
    named = [text for text in given_versions if text]
    assert len(set(named)) == len(named)


@given(scripts)
def test_a_name_is_a_models_or_leads_to_one(script: list[Command]) -> None:
    _, state = live(script)
    assert not (state.name and state.leads_to)


@given(scripts)
def test_each_event_names_who_held_the_target_before(script: list[Command]) -> None:
    holders: dict[str, list[str]] = {}
    for event in run(MODEL, script):
        if isinstance(event, AliasSet | StageSet):
            assert (
                holders.get(event.name, [])
                == [event.previous_version][: bool(event.previous_version)]
            )
            holders[event.name] = [event.version]
        elif isinstance(event, AliasUnset | StageUnset):
            assert [event.previous_version] == holders.pop(event.name)
        elif isinstance(event, StageHoldersSet):
            assert [holder.version for holder in event.previous_holders] == holders.get(
                event.name, []
            )
            holders[event.name] = [holder.version for holder in event.holders]


@given(scripts)
def test_a_stage_never_gets_more_holders_or_weight_than_allowed(script: list[Command]) -> None:
    for event in run(MODEL, script):
        if isinstance(event, StageHoldersSet):
            versions = [holder.version for holder in event.holders]
            assert len(set(versions)) == len(versions) <= MOST_HOLDERS
            assert sum(holder.weight for holder in event.holders) <= 100
        elif isinstance(event, AliasSet):
            assert event.name.split("/")[-2] == "aliases"


@given(scripts)
def test_a_rollback_gives_the_target_to_those_before_and_cannot_loop(script: list[Command]) -> None:
    _, state = live(script)
    for target in state.holders:
        seen = list[frozenset[int]]()
        rolled = state
        while before := rolled.before(target):
            seen.append(numbers(before))
            entrants = tuple(Entrant(holder.number) for holder in before)
            command = RollBack(MODEL_NAME, target, entrants, namespace_graph=SHARED)
            try:
                rolled = _after(rolled, MODEL.decide(command, rolled))
            except Refusal:  # an archived version, or more holders than the graph has room for
                break
            assert numbers(rolled.holders_of(target)) == seen[-1]
        assert len(seen) <= 32


@given(scripts)
def test_nothing_moves_by_a_grant_that_has_ended(script: list[Command]) -> None:
    ended = set[str]()
    for event in run(MODEL, script):
        if isinstance(event, GrantEnded):
            assert event.approval not in ended
            ended.add(event.approval)
        elif isinstance(event, AliasSet | StageSet):
            assert event.approval not in ended
        elif isinstance(event, StageHoldersSet):
            assert not ended & {holder.approval for holder in event.holders}


@given(scripts)
def test_nothing_holds_by_a_grant_that_has_ended(script: list[Command]) -> None:
    _, state = live(script)
    approvals = {holder.approval for held in state.holders.values() for holder in held}
    assert not approvals & set(state.ended_grants)


@given(scripts)
def test_a_command_repeated_at_once_changes_nothing(script: list[Command]) -> None:
    state = MODEL.initial
    for command in script:
        try:
            state = _after(state, MODEL.decide(command, state))
            again = MODEL.decide(command, state)
        except Refusal:
            continue
        # A second registration is another version; a refused move is noted each time it is tried.
        assert all(isinstance(e, ModelVersionRegistered | GrantedMoveRefused) for e in again)


@given(scripts)
def test_a_granted_move_is_made_or_recorded_as_refused_or_was_made_before(
    script: list[Command],
) -> None:
    _, state = live(script)
    for command in script:
        if not isinstance(command, MoveByGrant):
            continue
        events = MODEL.decide(command, state)
        held = state.holders_of(command.target)
        assert events or (command.number, command.approval) in [
            (holder.number, holder.approval) for holder in held
        ]
