"""What the rules and the answers remember of a model, and how each event changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from immutables import Map

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    GrantedMoveRefused,
    GrantEnded,
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelNameClaimed,
    ModelRenamed,
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import Imported
from assay_metadata.domain import fields

Event: TypeAlias = (
    ModelCreated
    | ModelNameClaimed
    | ModelRenamed
    | ModelUpdated
    | ModelArchived
    | ModelRestored
    | ModelVersionRegistered
    | ModelVersionSealed
    | ModelVersionUpdated
    | ModelVersionArchived
    | ModelVersionRestored
    | AliasSet
    | AliasUnset
    | StageSet
    | StageUnset
    | GrantedMoveRefused
    | GrantEnded
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version: what was sealed when it was registered, and what may change.

    A draft gets its manifest later.
    """

    registered: ModelVersionRegistered
    fields: ModelFields
    manifest_digest: str = ""
    size_bytes: int = 0
    file_count: int = 0
    is_draft: bool = False
    is_archived: bool = False

    @property
    def description(self) -> str:
        """What is new in it."""
        return self.fields.description

    @property
    def tags(self) -> Mapping[str, str]:
        """Its free labels."""
        return dict(self.fields.tags)


@dataclass(frozen=True, slots=True)
class Holder:
    """Which version holds an alias or stage, 0 for none, and the approval that let it in."""

    number: int = 0
    approval: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its versions; `name` is empty before it exists.

    `holders` has each alias and stage that was ever set, by resource name; `ended_grants` has the
    approvals whose grants were taken back; `leads_to` is the model whose name this became when it
    was renamed: then no model was ever created here.
    """

    name: str = ""
    leads_to: str = ""
    display_name: str = ""
    fields: ModelFields = field(default_factory=ModelFields)
    imported: Imported = field(default_factory=Imported)
    is_archived: bool = False
    versions: Map[int, Version] = field(default_factory=Map)
    semantic_versions: Map[str, int] = field(default_factory=Map)
    holders: Map[str, Holder] = field(default_factory=Map)
    ended_grants: Map[str, int] = field(default_factory=Map)

    @property
    def description(self) -> str:
        """What it is for."""
        return self.fields.description

    @property
    def tags(self) -> Mapping[str, str]:
        """Its free labels."""
        return dict(self.fields.tags)

    def holder(self, target: str) -> Holder:
        """Return who holds an alias or stage."""
        return self.holders.get(target, Holder())

    def held_by(self, number: int) -> list[str]:
        """Return the resource names of the aliases and stages that a version holds, sorted."""
        return sorted(target for target, holder in self.holders.items() if holder.number == number)


def evolve(state: Model, event: Event) -> Model:
    """Return the state after `event`."""
    match event:
        case ModelCreated():
            return _created(state, event)
        case ModelNameClaimed():
            return replace(state, leads_to=event.model)
        case ModelRenamed():
            return replace(state, display_name=event.display_name)
        case ModelUpdated():
            updated = fields.after(state.fields, event.update_mask.paths, event.fields)
            return replace(state, fields=updated)
        case ModelArchived():
            return replace(state, is_archived=True)
        case ModelRestored():
            return replace(state, is_archived=False)
        case ModelVersionRegistered():
            return _registered(state, event)
        case ModelVersionSealed():
            return _with(state, _sealed(state.versions[number_of(event.name)], event))
        case ModelVersionUpdated():
            version = state.versions[number_of(event.name)]
            updated = fields.after(version.fields, event.update_mask.paths, event.fields)
            return _with(state, replace(version, fields=updated))
        case ModelVersionArchived():
            return _with(state, replace(state.versions[number_of(event.name)], is_archived=True))
        case ModelVersionRestored():
            return _with(state, replace(state.versions[number_of(event.name)], is_archived=False))
        case AliasSet() | StageSet():
            holder = Holder(number_of(event.version), event.approval)
            return replace(state, holders=state.holders.set(event.name, holder))
        case AliasUnset() | StageUnset():
            return replace(state, holders=state.holders.set(event.name, Holder()))
        case GrantedMoveRefused():
            return state
        case GrantEnded():
            ended = state.ended_grants.set(event.approval, number_of(event.version))
            return replace(state, ended_grants=ended)
    assert_never(event)


def number_of(version: str) -> int:
    """Return the number at the end of a version's resource name, 0 for the empty name."""
    return int(version.rpartition("/")[2]) if version else 0


def version_of(model: str, number: int) -> str:
    """Return the resource name of a version, empty for number 0."""
    return f"{model}/versions/{number}" if number else ""


def _created(state: Model, event: ModelCreated) -> Model:
    free = ModelFields(
        description=event.description,
        tags=event.tags,
        owners=event.owners,
        intended_use=event.intended_use,
        tier=event.tier,
    )
    name = event.name.rpartition("/")[2]
    return replace(state, name=event.name, display_name=name, fields=free, imported=event.imported)


def _registered(state: Model, event: ModelVersionRegistered) -> Model:
    free = ModelFields(description=event.description, tags=event.tags)
    if event.HasField("card"):
        free.card.CopyFrom(event.card)
    version = Version(
        event,
        free,
        manifest_digest=event.manifest_digest,
        size_bytes=event.size_bytes,
        file_count=event.file_count,
        is_draft=event.is_draft,
    )
    state = _with(state, version)
    if not event.semantic_version:
        return state
    taken = state.semantic_versions.set(event.semantic_version, event.number)
    return replace(state, semantic_versions=taken)


def _sealed(version: Version, event: ModelVersionSealed) -> Version:
    return replace(
        version,
        manifest_digest=event.manifest_digest,
        size_bytes=event.size_bytes,
        file_count=event.file_count,
        is_draft=False,
    )


def _with(state: Model, version: Version) -> Model:
    return replace(state, versions=state.versions.set(version.registered.number, version))
