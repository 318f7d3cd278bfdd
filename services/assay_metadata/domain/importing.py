"""Imports: a batch is many commands in one, each decided by its own rule over what came before."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias, TypeVar

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Aborted, Invalid, Refusal
from assay_metadata.domain.commands import Command, ImportBatch, ImportItem, SetTarget
from assay_metadata.domain.holders import change
from assay_metadata.domain.state import Event, Model, evolve

MOST_EVENTS = 1000  # an atomic batch of the event store holds no more

_Decide: TypeAlias = Callable[[Command, Model], Sequence[Event]]
_Refusal = TypeVar("_Refusal", bound=Refusal)


def import_batch(command: ImportBatch, state: Model, decide: _Decide) -> Sequence[Event]:
    """Return the facts that all items bring about; a refusal names its item and leaves none."""
    events = list[Event]()
    for item in command.items:
        try:
            own, state = _import_item(item, state, decide)
        except Refusal as refusal:
            raise at(refusal, item.field) from None
        events += own
    if len(events) > MOST_EVENTS:
        raise Invalid(
            Reason.REASON_TOO_LARGE,
            f"Send fewer items at once: they make {len(events)} events, more than {MOST_EVENTS}.",
            field="items",
        )
    return events


def at(refusal: _Refusal, field: str) -> _Refusal:
    """Return the refusal of one item as that of its batch: it names the item first."""
    refusal.message = f"{field}: {refusal.message}"
    refusal.args = (refusal.message,)
    refusal.metadata = {**refusal.metadata, "item": field}
    if isinstance(refusal, Invalid):
        kind = field.rpartition(".")[2]
        refusal.field = f"{field}.{refusal.field.removeprefix(f'{kind}.')}".rstrip(".")
    return refusal


def _import_item(item: ImportItem, state: Model, decide: _Decide) -> tuple[Sequence[Event], Model]:
    """Return the facts of one item, and the state after them."""
    if item.number:
        _check_number(item, state)
    before, events = state, list[Event]()
    for command in item.commands:
        own = decide(command, state)
        state = reduce(evolve, own, state)
        events += own
    target = _target(item)
    if target:  # its holders enter at once: nothing can be rolled back to some of them
        events = [*change(target, state.holders_of(target), before)]
        state = reduce(evolve, events, before)
    return events, state


def _target(item: ImportItem) -> str:
    """Return the target that an item lets several versions hold, empty for none."""
    moves = [command.target for command in item.commands if isinstance(command, SetTarget)]
    return moves[0] if len(moves) > 1 else ""


def _check_number(item: ImportItem, state: Model) -> None:
    """Refuse a version that would get another number than the one it has."""
    following = len(state.versions) + 1
    if item.number == following:
        return
    if item.is_number_given:
        raise Invalid(
            Reason.REASON_MALFORMED,
            f"Number the versions without gaps: {following} is next, not {item.number}.",
            field="number",
        )
    raise Aborted(
        Reason.REASON_LOST_RACE, "Send the batch again: another version was registered meanwhile."
    )
