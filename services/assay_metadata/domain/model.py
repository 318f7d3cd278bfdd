"""The rules of a model: versions are sealed and numbered 1, 2, 3…; they hold aliases and stages.

The model is the aggregate: versions, aliases and stages lie on its one subject. Commands are in
`commands.py`, the state in `state.py`, the rules of versions in `versions.py`, who may hold an
alias or stage in `targets.py` and `graph.py`.
"""

from collections.abc import Sequence
from typing import assert_never

from google.protobuf.field_mask_pb2 import FieldMask

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    GrantRestored,
    ModelArchived,
    ModelCreated,
    ModelNameClaimed,
    ModelRenamed,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
    StageGraphSet,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay_events.decider import AlreadyExists, Decider
from assay_metadata.domain import fields, importing, rollback, targets, versions
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    ClaimName,
    Command,
    CreateModel,
    EndGrant,
    ImportBatch,
    MoveByGrant,
    RegisterVersion,
    RenameModel,
    RestoreModel,
    RestoreVersion,
    RollBack,
    SealVersion,
    SetStageGraph,
    SetTarget,
    UnsetTarget,
    UpdateModel,
    UpdateVersion,
)
from assay_metadata.domain.presence import active, existing
from assay_metadata.domain.state import Event, Model, evolve


def decide(command: Command, state: Model) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal where a rule forbids it."""
    match command:
        case CreateModel():
            return _create(command, state)
        case ClaimName():
            return _claim(command, state)
        case RenameModel():
            return _rename(command, state)
        case UpdateModel():
            return _update(command, state)
        case ArchiveModel():
            return _archive(command, state)
        case RestoreModel():
            return _restore(command, state)
        case RegisterVersion():
            return versions.register(command, state)
        case SealVersion():
            return versions.seal(command, state)
        case UpdateVersion():
            return versions.update(command, state)
        case ArchiveVersion():
            return versions.archive(command, state)
        case RestoreVersion():
            return versions.restore(command, state)
        case SetTarget():
            return targets.set_target(command, state)
        case RollBack():
            return rollback.roll_back(command, state)
        case SetStageGraph():
            return _set_stage_graph(command, state)
        case UnsetTarget():
            return targets.unset_target(command, state)
        case MoveByGrant():
            return targets.move_by_grant(command, state)
        case EndGrant():
            return targets.end_grant(command, state)
        case ImportBatch():
            return importing.import_batch(command, state, decide)
    assert_never(command)


def _create(command: CreateModel, state: Model) -> Sequence[Event]:
    if state.name or state.leads_to:
        raise AlreadyExists(command.model)
    created = ModelCreated(
        name=command.model,
        description=command.description,
        tags=command.tags,
        owners=command.owners,
        intended_use=command.intended_use,
        tier=command.tier,
        imported=command.imported if command.imported.ListFields() else None,
    )
    fields.check(evolve(state, created).fields)
    return [created]


def _claim(command: ClaimName, state: Model) -> Sequence[Event]:
    if state.leads_to == command.original:
        return []
    if state.name or state.leads_to:
        raise AlreadyExists(command.model)
    return [ModelNameClaimed(name=command.model, model=command.original)]


def _rename(command: RenameModel, state: Model) -> Sequence[Event]:
    active(command.model, state)
    if command.display_name == state.display_name:
        return []
    return [
        ModelRenamed(
            name=command.model,
            display_name=command.display_name,
            previous_display_name=state.display_name,
        )
    ]


def _update(command: UpdateModel, state: Model) -> Sequence[Event]:
    active(command.model, state)
    changed = fields.changed(command.paths, command.fields, state.fields)
    if not changed:
        return []
    given = fields.only(command.fields, changed)
    fields.check(given)
    return [
        ModelUpdated(
            name=command.model,
            update_mask=FieldMask(paths=changed),
            fields=given,
            previous_fields=fields.only(state.fields, changed),
        )
    ]


def _archive(command: ArchiveModel, state: Model) -> Sequence[Event]:
    existing(command.model, state)
    return [] if state.is_archived else [ModelArchived(name=command.model)]


def _restore(command: RestoreModel, state: Model) -> Sequence[Event]:
    existing(command.model, state)
    return [ModelRestored(name=command.model)] if state.is_archived else []


def _set_stage_graph(command: SetStageGraph, state: Model) -> Sequence[Event]:
    active(command.model, state)
    if command.graph == state.graph:
        return []
    return [
        StageGraphSet(name=command.model, graph=command.graph, previous_graph=state.graph),
    ]


MODEL: Decider[Command, Model, Event] = Decider(
    context="metadata",
    aggregate="model",
    initial=Model(),
    decide=decide,
    evolve=evolve,
    events=(
        ModelCreated,
        ModelNameClaimed,
        ModelRenamed,
        ModelUpdated,
        ModelArchived,
        ModelRestored,
        ModelVersionRegistered,
        ModelVersionSealed,
        ModelVersionUpdated,
        ModelVersionArchived,
        ModelVersionRestored,
        AliasSet,
        AliasUnset,
        StageSet,
        StageUnset,
        StageHoldersSet,
        StageGraphSet,
        GrantedMoveRefused,
        GrantEnded,
        GrantRestored,
    ),
)
