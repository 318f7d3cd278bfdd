"""Who holds a target after a move, and which event says so."""

from collections.abc import Sequence
from dataclasses import replace

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    ModelVersionArchived,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import StageHolder
from assay_events.decider import Aborted, Rejection
from assay_metadata.domain.state import Event, Holder, Holders, Model, numbers, version_of


def with_entrant(entrant: Holder, before: Holders, *, is_beside: bool) -> Holders:
    """Return who holds once a version has entered, alone or beside those before."""
    if not is_beside:
        return (entrant,)
    if entrant.number not in numbers(before):
        return (*before, entrant)
    return tuple(entrant if holder.number == entrant.number else holder for holder in before)


def keeping_approval(entrant: Holder, before: Holders) -> Holder:
    """Return the entrant with the approval by which it holds already, where it brings none."""
    if entrant.approval:
        return entrant
    held = next((holder for holder in before if holder.number == entrant.number), entrant)
    return replace(entrant, approval=held.approval)


def change(
    target: str,
    after: Holders,
    state: Model,
    *,
    ended_approval: str = "",
    is_rollback: bool = False,
) -> Sequence[Event]:
    """Return the event from which on `after` hold the target, none where they do already."""
    before = state.holders_of(target)
    if after == before:
        return []
    if len(before) > 1 or len(after) > 1 or any(holder.weight for holder in after):
        return [
            StageHoldersSet(
                name=target,
                holders=_messages(after, state),
                previous_holders=_messages(before, state),
                is_rollback=is_rollback,
            )
        ]
    previous = version_of(state.name, state.holder(target).number)
    if after:
        return [_set(target, after[0], previous, state, is_rollback=is_rollback)]
    if is_alias(target):
        return [AliasUnset(name=target, previous_version=previous)]
    return [StageUnset(name=target, previous_version=previous, approval=ended_approval)]


def archive_previous(target: str, after: Holders, state: Model) -> Sequence[Event]:
    """Return the events that archive those who leave the target; refuse where one holds more."""
    left = [h.number for h in state.holders_of(target) if h.number not in numbers(after)]
    for number in left:
        held = [name for name in state.held_by(number) if name != target]
        if held:
            raise Rejection(
                Reason.REASON_VERSION_HELD,
                f"Move or unset {held[0]} first: version {number} holds it.",
                name=version_of(state.name, number),
                target=held[0],
            )
    return [
        ModelVersionArchived(name=version_of(state.name, number))
        for number in left
        if not state.versions[number].is_archived
    ]


def check_expected(target: str, expected: int, state: Model) -> None:
    """Refuse if another version than the expected one holds the target, 0 for none."""
    holder = state.holder(target).number
    if holder != expected:
        now = f"version {holder} holds it" if holder else "nothing holds it"
        raise Aborted(
            Reason.REASON_HOLDER_MISMATCH,
            f"Look at {target} again: {now}, not what you expected.",
            target=target,
            holder=version_of(state.name, holder),
        )


def is_alias(name: str) -> bool:
    """Return whether a target is an alias; else it is a stage."""
    return name.split("/")[-2] == "aliases"  # a model may be called "aliases" too


def _set(
    target: str, holder: Holder, previous: str, state: Model, *, is_rollback: bool
) -> AliasSet | StageSet:
    event = AliasSet if is_alias(target) else StageSet
    return event(
        name=target,
        version=version_of(state.name, holder.number),
        previous_version=previous,
        approval=holder.approval,
        is_rollback=is_rollback,
    )


def _messages(holders: Holders, state: Model) -> list[StageHolder]:
    return [
        StageHolder(
            version=version_of(state.name, holder.number),
            weight=holder.weight,
            approval=holder.approval,
        )
        for holder in holders
    ]
