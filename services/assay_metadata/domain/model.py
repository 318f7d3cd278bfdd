"""The rules of a model: versions are sealed and numbered 1, 2, 3…; one at most holds a target.

The model is the aggregate: versions, aliases and stages lie on its one subject. Commands are in
`commands.py`, the state in `state.py`, who may hold an alias or stage in `targets.py`.
"""

import math
from collections.abc import Sequence
from typing import assert_never

from google.protobuf.field_mask_pb2 import FieldMask

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionUpdated,
    StageSet,
    StageUnset,
)
from assay.type.v1.metric_pb2 import Metric
from assay_events.decider import AlreadyExists, Decider, Invalid, Rejection
from assay_metadata.domain import targets
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    Command,
    CreateModel,
    EndGrant,
    MoveByGrant,
    RegisterVersion,
    RestoreModel,
    SetTarget,
    UnsetTarget,
    UpdateModel,
    UpdateVersion,
)
from assay_metadata.domain.presence import active, existing, known_version
from assay_metadata.domain.state import Event, Model, Version, evolve, fields_of, version_of


def decide(command: Command, state: Model) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal where a rule forbids it."""
    match command:
        case CreateModel():
            return _create(command, state)
        case UpdateModel():
            return _update(command, state)
        case ArchiveModel():
            return _archive(command, state)
        case RestoreModel():
            return _restore(command, state)
        case RegisterVersion():
            return _register(command, state)
        case UpdateVersion():
            return _update_version(command, state)
        case ArchiveVersion():
            return _archive_version(command, state)
        case SetTarget():
            return targets.set_target(command, state)
        case UnsetTarget():
            return targets.unset_target(command, state)
        case MoveByGrant():
            return targets.move_by_grant(command, state)
        case EndGrant():
            return targets.end_grant(command, state)
    assert_never(command)


def _create(command: CreateModel, state: Model) -> Sequence[Event]:
    if state.name:
        raise AlreadyExists(state.name)
    return [
        ModelCreated(name=command.model, description=command.description, tags=command.tags),
    ]


def _update(command: UpdateModel, state: Model) -> Sequence[Event]:
    active(command.model, state)
    changed = _changed(command.paths, command.fields, state)
    if not changed:
        return []
    return [
        ModelUpdated(
            name=command.model,
            update_mask=FieldMask(paths=sorted(changed)),
            fields=_only(changed, command.fields),
            previous_fields=fields_of(state, changed),
        )
    ]


def _archive(command: ArchiveModel, state: Model) -> Sequence[Event]:
    existing(command.model, state)
    return [] if state.is_archived else [ModelArchived(name=command.model)]


def _restore(command: RestoreModel, state: Model) -> Sequence[Event]:
    existing(command.model, state)
    return [ModelRestored(name=command.model)] if state.is_archived else []


def _register(command: RegisterVersion, state: Model) -> Sequence[Event]:
    active(command.model, state)
    _check_metrics(command.metrics)
    number = len(state.versions) + 1
    return [
        ModelVersionRegistered(
            name=version_of(command.model, number),
            number=number,
            manifest_digest=command.manifest_digest,
            description=command.description,
            metrics=command.metrics,
            params=command.params,
            tags=command.tags,
            run=command.run,
            size_bytes=command.size_bytes,
            file_count=command.file_count,
        )
    ]


def _update_version(command: UpdateVersion, state: Model) -> Sequence[Event]:
    # Description and tags stay free on an archived version: they say why it was archived.
    active(command.model, state)
    version = known_version(command.model, command.number, state)
    changed = _changed(command.paths, command.fields, version)
    if not changed:
        return []
    return [
        ModelVersionUpdated(
            name=version.registered.name,
            update_mask=FieldMask(paths=sorted(changed)),
            fields=_only(changed, command.fields),
            previous_fields=fields_of(version, changed),
        )
    ]


def _archive_version(command: ArchiveVersion, state: Model) -> Sequence[Event]:
    active(command.model, state)
    version = known_version(command.model, command.number, state)
    if version.is_archived:
        return []
    held = state.held_by(command.number)
    if held:
        raise Rejection(
            Reason.REASON_VERSION_HELD,
            f"Move or unset {held[0]} first: version {command.number} holds it.",
            version=version.registered.name,
            target=held[0],
        )
    return [ModelVersionArchived(name=version.registered.name)]


def _check_metrics(metrics: Sequence[Metric]) -> None:
    """Refuse what could not be compared: numbers that are none, and two values for one thing."""
    seen = set[tuple[str, str]]()
    for metric in metrics:
        if not metric.key:
            raise Invalid(Reason.REASON_REQUIRED, "Give each metric a key.", field="metrics")
        if not math.isfinite(metric.value):
            raise Invalid(
                Reason.REASON_NOT_FINITE,
                f"Give the metric {metric.key} a finite value; it is {metric.value}.",
                field="metrics",
            )
        if (metric.key, metric.dataset) in seen:
            raise Invalid(
                Reason.REASON_MALFORMED,
                f"Give the metric {metric.key} once for each dataset.",
                field="metrics",
            )
        seen.add((metric.key, metric.dataset))


def _changed(paths: frozenset[str], fields: ModelFields, state: Model | Version) -> frozenset[str]:
    """Return those of `paths` whose value in `fields` differs from the state's."""
    differs = {
        "description": fields.description != state.description,
        "tags": dict(fields.tags) != dict(state.tags),
    }
    return frozenset(path for path in paths if differs[path])


def _only(paths: frozenset[str], fields: ModelFields) -> ModelFields:
    return ModelFields(
        description=fields.description if "description" in paths else "",
        tags=fields.tags if "tags" in paths else {},
    )


MODEL: Decider[Command, Model, Event] = Decider(
    context="metadata",
    aggregate="model",
    initial=Model(),
    decide=decide,
    evolve=evolve,
    events=(
        ModelCreated,
        ModelUpdated,
        ModelArchived,
        ModelRestored,
        ModelVersionRegistered,
        ModelVersionUpdated,
        ModelVersionArchived,
        AliasSet,
        AliasUnset,
        StageSet,
        StageUnset,
        GrantedMoveRefused,
        GrantEnded,
    ),
)
