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
    GrantRestored,
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
    StageGraphSet,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import Imported, StageGraph
from assay_metadata.domain import fields

_MOST_REMEMBERED = 32

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
    | StageHoldersSet
    | StageGraphSet
    | GrantedMoveRefused
    | GrantEnded
    | GrantRestored
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
    """Which version holds an alias or stage, 0 for none, the approval that let it in, its share."""

    number: int = 0
    approval: str = ""
    weight: int = 0


Holders: TypeAlias = tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its versions; `name` is empty before it exists.

    `holders` has each alias and stage that was ever set, by resource name, and `earlier` the last
    of those who held it before, less who was rolled back; `other_names` are the ids that it was
    given later; `ended_grants` has the approvals whose
    grants were taken back; `leads_to` is the model whose name this became when it was renamed: then
    no model was ever created here.
    """

    name: str = ""
    leads_to: str = ""
    display_name: str = ""
    other_names: tuple[str, ...] = ()
    fields: ModelFields = field(default_factory=ModelFields)
    imported: Imported = field(default_factory=Imported)
    is_archived: bool = False
    versions: Map[int, Version] = field(default_factory=Map)
    semantic_versions: Map[str, int] = field(default_factory=Map)
    holders: Map[str, Holders] = field(default_factory=Map)
    earlier: Map[str, tuple[Holders, ...]] = field(default_factory=Map)
    graph: StageGraph = field(default_factory=StageGraph)
    ended_grants: Map[str, int] = field(default_factory=Map)

    @property
    def description(self) -> str:
        """What it is for."""
        return self.fields.description

    @property
    def tags(self) -> Mapping[str, str]:
        """Its free labels."""
        return dict(self.fields.tags)

    @property
    def tier(self) -> str:
        """How much depends on it."""
        return self.fields.tier

    def holder(self, target: str) -> Holder:
        """Return who holds an alias or stage, the first where several do."""
        return next(iter(self.holders_of(target)), Holder())

    def holders_of(self, target: str) -> Holders:
        """Return all who hold an alias or stage, in the order in which they entered."""
        return self.holders.get(target, ())

    def before(self, target: str) -> Holders:
        """Return who held an alias or stage before those who hold it now, empty for nobody."""
        now = numbers(self.holders_of(target))
        earlier = self.earlier.get(target, ())
        return next((held for held in reversed(earlier) if numbers(held) != now), ())

    def held_by(self, number: int) -> list[str]:
        """Return the resource names of the aliases and stages that a version holds, sorted."""
        return sorted(name for name, held in self.holders.items() if number in numbers(held))


def evolve(state: Model, event: Event) -> Model:
    """Return the state after `event`."""
    match event:
        case ModelCreated():
            return _created(state, event)
        case ModelNameClaimed():
            return replace(state, leads_to=event.model)
        case ModelRenamed():
            return _renamed(state, event)
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
            return _held(state, event, (Holder(number_of(event.version), event.approval),))
        case AliasUnset() | StageUnset():
            return _held(state, event, ())
        case StageHoldersSet():
            holders = (Holder(number_of(h.version), h.approval, h.weight) for h in event.holders)
            return _held(state, event, tuple(holders))
        case StageGraphSet():
            return replace(state, graph=event.graph)
        case GrantedMoveRefused():
            return state
        case GrantEnded():
            ended = state.ended_grants.set(event.approval, number_of(event.version))
            return replace(state, ended_grants=ended)
        case GrantRestored():
            ended = state.ended_grants
            if event.approval not in ended:
                return state
            return replace(state, ended_grants=ended.delete(event.approval))
    assert_never(event)


def number_of(version: str) -> int:
    """Return the number at the end of a version's resource name, 0 for the empty name."""
    return int(version.rpartition("/")[2]) if version else 0


def numbers(holders: Holders) -> frozenset[int]:
    """Return the numbers of the versions that hold."""
    return frozenset(holder.number for holder in holders)


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


def _renamed(state: Model, event: ModelRenamed) -> Model:
    """Return the state in which the model has one more name; each leads to it for ever."""
    known = {state.name.rpartition("/")[2], *state.other_names}
    new = () if event.display_name in known else (event.display_name,)
    other_names = (*state.other_names, *new)
    return replace(state, display_name=event.display_name, other_names=other_names)


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


def _held(
    state: Model,
    event: AliasSet | AliasUnset | StageSet | StageUnset | StageHoldersSet,
    holders: Holders,
) -> Model:
    """Return the state in which `holders` hold; a rollback forgets whom it took out."""
    now, earlier = state.holders_of(event.name), state.earlier.get(event.name, ())
    if not isinstance(event, AliasUnset | StageUnset) and event.is_rollback:
        while earlier and numbers(earlier[-1]) != numbers(holders):
            earlier = earlier[:-1]
        earlier = earlier[:-1]
    elif now and numbers(now) != numbers(holders):
        earlier = (*earlier, now)[-_MOST_REMEMBERED:]
    return replace(
        state,
        holders=state.holders.set(event.name, holders),
        earlier=state.earlier.set(event.name, earlier),
    )
