"""Who may hold a target, an alias or a stage: one version at most, by a live grant if governed."""

import re
from collections.abc import Sequence

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    StageSet,
    StageUnset,
)
from assay.names import AliasName, StageName, VersionName, target
from assay_events.decider import Aborted, Forbidden, NotFound, Refusal, Rejection
from assay_metadata.domain.commands import EndGrant, MoveByGrant, SetTarget, UnsetTarget
from assay_metadata.domain.presence import active, active_version, existing
from assay_metadata.domain.state import Event, Model, version_of


def set_target(command: SetTarget, state: Model) -> Sequence[Event]:
    """Let a version hold the target, if the expected one holds it and a needed grant is there."""
    active(command.model, state)
    active_version(command.model, command.number, state)
    _check_holder(command, state)
    if command.is_governed and not command.approval:
        raise _approval_required(command)
    return _take(command.model, command.target, command.number, command.approval, state)


def unset_target(command: UnsetTarget, state: Model) -> Sequence[Event]:
    """Let nobody hold the target; an archived model allows that too."""
    existing(command.model, state)
    if command.target not in state.holders:
        raise NotFound(command.target)
    return [_unset(command.target, state)] if state.holder(command.target).number else []


def move_by_grant(command: MoveByGrant, state: Model) -> Sequence[Event]:
    """Let the granted version hold the target; a move that a rule forbids is noted as refused."""
    try:
        if command.refusal_reason:
            raise Forbidden(command.refusal_reason, command.refusal_message)
        active(command.model, state)
        version = active_version(command.model, command.number, state)
        if version.manifest_digest != command.manifest_digest:
            raise Rejection(
                Reason.REASON_DIGEST_MISMATCH, "Ask again: the grant covers another manifest."
            )
        return _take(command.model, command.target, command.number, command.approval, state)
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
    holder = state.holder(command.target)
    if (holder.number, holder.approval) != (command.number, command.approval):
        return [ended]
    return [ended, _unset(command.target, state, command.approval)]


def _check_holder(command: SetTarget, state: Model) -> None:
    holder = state.holder(command.target).number
    if command.is_holder_expected and holder != command.expected_number:
        now = f"version {holder} holds it" if holder else "nothing holds it"
        raise Aborted(
            Reason.REASON_HOLDER_MISMATCH,
            f"Look at {command.target} again: {now}, not what you expected.",
            target=command.target,
            holder=version_of(command.model, holder),
        )


def _take(model: str, name: str, number: int, approval: str, state: Model) -> Sequence[Event]:
    """Return the move, unless the version holds the target by this approval already."""
    if approval in state.ended_grants:
        raise Forbidden(
            Reason.REASON_APPROVAL_REVOKED,
            f"Ask for a new approval: {approval} was revoked.",
            approval=approval,
            target=name,
        )
    holder = state.holder(name)
    if holder.number == number and (not approval or holder.approval == approval):
        return []
    event = AliasSet if _is_alias(name) else StageSet
    return [
        event(
            name=name,
            version=version_of(model, number),
            previous_version=version_of(model, holder.number),
            approval=approval,
        )
    ]


def _unset(name: str, state: Model, approval: str = "") -> AliasUnset | StageUnset:
    previous = version_of(state.name, state.holder(name).number)
    if _is_alias(name):
        return AliasUnset(name=name, previous_version=previous)
    return StageUnset(name=name, previous_version=previous, approval=approval)


def _approval_required(command: SetTarget) -> Forbidden:
    version = version_of(command.model, command.number)
    ask = _how_to_ask(target(command.target), VersionName.parse(version))
    return Forbidden(
        Reason.REASON_APPROVAL_REQUIRED,
        f"A policy governs {command.target} and no live grant covers {version}; ask for one: {ask}",
        target=command.target,
        version=version,
        command=ask,
    )


def _how_to_ask(asked: AliasName | StageName, version: VersionName) -> str:
    """Return the command that opens the approval."""
    is_default = version.namespace == "default"
    subject = f"{version.model}/{version.number}" if is_default else str(version)
    option = (
        f"--alias {_shell_word(asked.alias)}"
        if isinstance(asked, AliasName)
        else f"--stage {_shell_word(asked.stage)}"
    )
    return f"assay approval request {_shell_word(subject)} {option}"


def _shell_word(text: str) -> str:
    """Return `text` as one word of a POSIX shell."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=,./-]+", text) and not text.startswith("-"):
        return text
    quoted = text.replace("'", "'\"'\"'")
    return f"'{quoted}'"


def _is_alias(name: str) -> bool:
    return name.split("/")[-2] == "aliases"  # a model may be called "aliases" too
