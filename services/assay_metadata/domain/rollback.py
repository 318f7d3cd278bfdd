"""Giving a target back to those who held it before: with a live grant each, if governed."""

from collections.abc import Sequence
from dataclasses import replace

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Aborted, Rejection
from assay_metadata.domain import graph
from assay_metadata.domain.commands import RollBack
from assay_metadata.domain.grants import approval_required, check_not_ended
from assay_metadata.domain.holders import change, check_expected, is_alias, keeping_approval
from assay_metadata.domain.presence import active, active_version
from assay_metadata.domain.state import Event, Holders, Model, numbers


def roll_back(command: RollBack, state: Model) -> Sequence[Event]:
    """Let those hold the target who did before; they came by the graph once, so it is not asked."""
    active(command.model, state)
    if command.is_holder_expected:
        check_expected(command.target, command.expected_number, state)
    before = state.before(command.target)
    if not before:
        raise Rejection(
            Reason.REASON_NOTHING_BEFORE,
            f"Set {command.target} to a version: no other one held it before.",
            target=command.target,
        )
    if numbers(before) != {entrant.number for entrant in command.entrants}:
        raise Aborted(
            Reason.REASON_HOLDER_MISMATCH,
            f"Look at {command.target} again: it changed while it was rolled back.",
            target=command.target,
        )
    return change(command.target, _after(command, before, state), state, is_rollback=True)


def _after(command: RollBack, before: Holders, state: Model) -> Holders:
    """Return who holds after the rollback, those first who hold already."""
    for entrant in command.entrants:
        active_version(command.model, entrant.number, state)
        if entrant.is_governed and not entrant.approval:
            raise approval_required(command.model, command.target, entrant.number)
        check_not_ended(command.target, entrant.approval, state)
    now = state.holders_of(command.target)
    fresh = {entrant.number: entrant.approval for entrant in command.entrants}
    back = [
        keeping_approval(replace(holder, approval=fresh[holder.number]), now) for holder in before
    ]
    places = {holder.number: place for place, holder in enumerate(now)}
    after = tuple(sorted(back, key=lambda holder: places.get(holder.number, len(places))))
    if not is_alias(command.target):
        stage = command.target.rpartition("/")[2]
        graph.check_holders(graph.rule_of(stage, state.graph, command.namespace_graph), after, ())
    return after
