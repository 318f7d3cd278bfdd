"""What holds of a model whatever is asked of it."""

from collections.abc import Sequence

from hypothesis import given

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    ModelVersionRegistered,
    StageSet,
    StageUnset,
)
from assay_events.decider import Refusal
from assay_events.spec import run
from assay_metadata.domain.commands import Command, MoveByGrant
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Event, Model
from tests.property.assay_metadata.scripts import scripts


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
def test_at_most_one_version_holds_a_target_and_each_event_names_the_one_before(
    script: list[Command],
) -> None:
    holders: dict[str, str] = {}
    for event in run(MODEL, script):
        if isinstance(event, AliasSet | StageSet):
            assert event.previous_version == holders.get(event.name, "")
            holders[event.name] = event.version
        elif isinstance(event, AliasUnset | StageUnset):
            assert event.previous_version == holders.pop(event.name)


@given(scripts)
def test_nothing_moves_by_a_grant_that_has_ended(script: list[Command]) -> None:
    ended = set[str]()
    for event in run(MODEL, script):
        if isinstance(event, GrantEnded):
            assert event.approval not in ended
            ended.add(event.approval)
        elif isinstance(event, AliasSet | StageSet):
            assert event.approval not in ended


@given(scripts)
def test_nothing_holds_by_a_grant_that_has_ended(script: list[Command]) -> None:
    _, state = live(script)
    assert not [h for h in state.holders.values() if h.approval in state.ended_grants]


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
        holder = state.holder(command.target)
        assert events or (holder.number, holder.approval) == (command.number, command.approval)
