"""Who may hold a target, an alias or a stage: as its graph allows, by a live grant if governed."""

from collections.abc import Sequence

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import GrantedMoveRefused, GrantEnded, GrantRestored
from assay.metadata.v1.resources_pb2 import StageGraph, StageRule
from assay_events.decider import Forbidden, NotFound, Refusal, Rejection
from assay_metadata.domain import graph
from assay_metadata.domain.commands import EndGrant, MoveByGrant, SetTarget, UnsetTarget
from assay_metadata.domain.grants import approval_required, check_not_ended
from assay_metadata.domain.holders import (
    archive_previous,
    change,
    check_expected,
    is_alias,
    keeping_approval,
    with_entrant,
)
from assay_metadata.domain.presence import active, active_version, existing
from assay_metadata.domain.state import Event, Holder, Holders, Model, evolve, numbers, version_of


def set_target(command: SetTarget, state: Model) -> Sequence[Event]:
    """Let a version hold the target, if the expected one holds it and a needed grant is there."""
    graph.check_weight(command.weight)
    active(command.model, state)
    active_version(command.model, command.number, state)
    if command.is_holder_expected:
        check_expected(command.target, command.expected_number, state)
    if command.is_governed and not command.approval:
        raise approval_required(command.model, command.target, command.number)
    entrant = Holder(command.number, command.approval, command.weight)
    after = _entered(
        command.target, entrant, command.namespace_graph, state, is_beside=command.is_beside
    )
    archived = (
        archive_previous(command.target, after, state) if command.is_previous_archived else []
    )
    return [*change(command.target, after, state), *archived]


def unset_target(command: UnsetTarget, state: Model) -> Sequence[Event]:
    """Let nobody hold the target; an archived model allows that too."""
    existing(command.model, state)
    if command.target not in state.holders:
        raise NotFound(command.target)
    return change(command.target, (), state)


def move_by_grant(command: MoveByGrant, state: Model) -> Sequence[Event]:
    """Let the granted version hold the target; a move that a rule forbids is noted as refused."""
    restored = _restored(command, state)
    for event in restored:
        state = evolve(state, event)
    return [*restored, *_moved(command, state)]


def _restored(command: MoveByGrant, state: Model) -> Sequence[Event]:
    """Return the event by which a resumed grant holds again, none for another."""
    if not command.is_resumed or command.approval not in state.ended_grants:
        return []
    version = version_of(command.model, command.number)
    return [
        GrantRestored(
            name=command.model, approval=command.approval, target=command.target, version=version
        )
    ]


def _moved(command: MoveByGrant, state: Model) -> Sequence[Event]:
    try:
        if command.refusal_reason:
            raise Forbidden(command.refusal_reason, command.refusal_message)
        active(command.model, state)
        version = active_version(command.model, command.number, state)
        if version.manifest_digest != command.manifest_digest:
            raise Rejection(
                Reason.REASON_DIGEST_MISMATCH, "Ask again: the grant covers another manifest."
            )
        return change(command.target, _entered_by_grant(command, state), state)
    except Refusal as refusal:
        return [
            GrantedMoveRefused(
                name=command.target,
                version=version_of(command.model, command.number),
                approval=command.approval,
                refusal_reason=Reason.Name(refusal.reason),
                message=refusal.message,
            )
        ]


def end_grant(command: EndGrant, state: Model) -> Sequence[Event]:
    """Note the end, even where nothing holds by the grant: a move decided before loses its race."""
    if not state.name or command.approval in state.ended_grants:
        return []
    ended = GrantEnded(
        name=command.model,
        approval=command.approval,
        target=command.target,
        version=version_of(command.model, command.number),
    )
    by_grant = (command.number, command.approval)
    after = tuple(
        holder
        for holder in state.holders_of(command.target)
        if (holder.number, holder.approval) != by_grant
    )
    if not after and state.holders_of(command.target) and _may_succeed(command, state):
        after = (Holder(command.successor, command.successor_approval),)
    return [ended, *change(command.target, after, state, ended_approval=command.approval)]


def _may_succeed(command: EndGrant, state: Model) -> bool:
    """Return whether the version that held it before may hold it again."""
    version = state.versions.get(command.successor)
    is_fit = version is not None and not version.is_archived and not version.is_draft
    return is_fit and command.successor_approval not in {"", command.approval, *state.ended_grants}


def _entered_by_grant(command: MoveByGrant, state: Model) -> Holders:
    """Return who holds after a granted move: nobody is pushed out where several may hold."""
    before = state.holders_of(command.target)
    rule = _rule(command.target, command.namespace_graph, state)
    weight = next((held.weight for held in before if held.number == command.number), 0)
    is_beside = graph.may_have_several(rule) and not is_alias(command.target)
    entrant = Holder(command.number, command.approval, weight if is_beside else 0)
    return _entered(command.target, entrant, command.namespace_graph, state, is_beside=is_beside)


def _entered(
    target: str, entrant: Holder, namespace_graph: StageGraph, state: Model, *, is_beside: bool
) -> Holders:
    """Return who holds once the version has entered, if its grant lives and the graph allows it."""
    check_not_ended(target, entrant.approval, state)
    before = state.holders_of(target)
    after = with_entrant(keeping_approval(entrant, before), before, is_beside=is_beside)
    if not is_alias(target):
        rule = _rule(target, namespace_graph, state)
        if entrant.number not in numbers(before):
            graph.check_origin(rule, entrant.number, state)
        graph.check_holders(rule, after, before if len(after) <= len(before) else ())
    return after


def _rule(target: str, namespace_graph: StageGraph, state: Model) -> StageRule:
    return graph.rule_of(target.rpartition("/")[2], state.graph, namespace_graph)
