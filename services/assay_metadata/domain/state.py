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
    ModelRestored,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionUpdated,
    StageSet,
    StageUnset,
)

Event: TypeAlias = (
    ModelCreated
    | ModelUpdated
    | ModelArchived
    | ModelRestored
    | ModelVersionRegistered
    | ModelVersionUpdated
    | ModelVersionArchived
    | AliasSet
    | AliasUnset
    | StageSet
    | StageUnset
    | GrantedMoveRefused
    | GrantEnded
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version: what was sealed when it was registered, and what may change."""

    registered: ModelVersionRegistered
    description: str
    tags: Mapping[str, str]
    is_archived: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Which version holds an alias or stage, 0 for none, and the approval that let it in."""

    number: int = 0
    approval: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its versions; `name` is empty before it exists.

    `holders` has each alias and stage that was ever set, by resource name; `ended_grants` has the
    approvals whose grants were taken back.
    """

    name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    is_archived: bool = False
    versions: Map[int, Version] = field(default_factory=Map)
    holders: Map[str, Holder] = field(default_factory=Map)
    ended_grants: Map[str, int] = field(default_factory=Map)

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
            return replace(
                state, name=event.name, description=event.description, tags=dict(event.tags)
            )
        case ModelUpdated():
            description, tags = after(state, event)
            return replace(state, description=description, tags=tags)
        case ModelArchived():
            return replace(state, is_archived=True)
        case ModelRestored():
            return replace(state, is_archived=False)
        case ModelVersionRegistered():
            version = Version(event, event.description, dict(event.tags))
            return replace(state, versions=state.versions.set(event.number, version))
        case ModelVersionUpdated():
            version = state.versions[number_of(event.name)]
            description, tags = after(version, event)
            return _with(state, replace(version, description=description, tags=tags))
        case ModelVersionArchived():
            return _with(state, replace(state.versions[number_of(event.name)], is_archived=True))
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


def fields_of(state: Model | Version, paths: frozenset[str]) -> ModelFields:
    """Return the fields in `paths`, as an event carries them."""
    return ModelFields(
        description=state.description if "description" in paths else "",
        tags=state.tags if "tags" in paths else {},
    )


def after(
    state: Model | Version, event: ModelUpdated | ModelVersionUpdated
) -> tuple[str, Mapping[str, str]]:
    """Return the description and the tags after an update."""
    paths = event.update_mask.paths
    return (
        event.fields.description if "description" in paths else state.description,
        dict(event.fields.tags) if "tags" in paths else state.tags,
    )


def _with(state: Model, version: Version) -> Model:
    return replace(state, versions=state.versions.set(version.registered.number, version))
