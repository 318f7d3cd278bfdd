"""What may be asked of a model. Each command names its model; `target` is an alias or a stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelFields
from assay.metadata.v1.resources_pb2 import Format, Imported, ModelCard, Signature, StageGraph
from assay.type.v1.metric_pb2 import Metric


@dataclass(frozen=True, slots=True)
class CreateModel:
    """Open a name under which versions are registered."""

    model: str
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    intended_use: str = ""
    tier: str = ""
    imported: Imported = field(default_factory=Imported)


@dataclass(frozen=True, slots=True)
class ClaimName:
    """Let the name `model`, which no model has, lead to the model called `original` for ever."""

    model: str
    original: str


@dataclass(frozen=True, slots=True)
class RenameModel:
    """Let people call the model `display_name`; the name is claimed for it already."""

    model: str
    display_name: str


@dataclass(frozen=True, slots=True)
class UpdateModel:
    """Give the fields in `paths` the values that `fields` has for them."""

    model: str
    paths: frozenset[str]
    fields: ModelFields


@dataclass(frozen=True, slots=True)
class ArchiveModel:
    """Let the model take nothing new."""

    model: str


@dataclass(frozen=True, slots=True)
class RestoreModel:
    """Take an archived model back into use."""

    model: str


@dataclass(frozen=True, slots=True)
class RegisterVersion:
    """Register the next version; its manifest is known to be committed, of this size.

    A draft has no manifest yet, and that of an external reference is what the caller claims.
    """

    model: str
    manifest_digest: str
    size_bytes: int = 0
    file_count: int = 0
    description: str = ""
    metrics: tuple[Metric, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    card: ModelCard = field(default_factory=ModelCard)
    signature: Signature = field(default_factory=Signature)
    format: Format = field(default_factory=Format)
    parent_versions: tuple[str, ...] = ()
    semantic_version: str = ""
    external_uri: str = ""
    is_draft: bool = False
    imported: Imported = field(default_factory=Imported)


@dataclass(frozen=True, slots=True)
class SealVersion:
    """Give a draft its files; their manifest is known to be committed, of this size."""

    model: str
    number: int
    manifest_digest: str
    size_bytes: int = 0
    file_count: int = 0


@dataclass(frozen=True, slots=True)
class UpdateVersion:
    """Give a version's fields in `paths` the values that `fields` has for them."""

    model: str
    number: int
    paths: frozenset[str]
    fields: ModelFields


@dataclass(frozen=True, slots=True)
class ArchiveVersion:
    """Let no alias and no stage take this version."""

    model: str
    number: int


@dataclass(frozen=True, slots=True)
class RestoreVersion:
    """Take an archived version back into use."""

    model: str
    number: int


@dataclass(frozen=True, slots=True)
class SetTarget:
    """Let a version hold `target`; what the approval service says of that is known already.

    The holders before leave, unless it enters beside them. `namespace_graph` holds where the model
    has no stage graph of its own.
    """

    model: str
    target: str
    number: int
    is_governed: bool = False
    approval: str = ""
    is_holder_expected: bool = False
    expected_number: int = 0
    is_beside: bool = False
    weight: int = 0
    is_previous_archived: bool = False
    namespace_graph: StageGraph = field(default_factory=StageGraph)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A version that is to hold a target again, and what the approval service says of that."""

    number: int
    is_governed: bool = False
    approval: str = ""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Give `target` back to those who held it before; they are known, and asked about, already."""

    model: str
    target: str
    entrants: tuple[Entrant, ...]
    is_holder_expected: bool = False
    expected_number: int = 0
    namespace_graph: StageGraph = field(default_factory=StageGraph)


@dataclass(frozen=True, slots=True)
class SetStageGraph:
    """Say which moves between stages the model allows."""

    model: str
    graph: StageGraph


@dataclass(frozen=True, slots=True)
class UnsetTarget:
    """Let nobody hold `target`."""

    model: str
    target: str


@dataclass(frozen=True, slots=True)
class MoveByGrant:
    """Let the version of a grant hold `target`, unless the grant was found wanting.

    A stage that may have several holders keeps those that it has. `is_resumed` says that the grant
    was suspended before.
    """

    model: str
    target: str
    number: int
    approval: str
    manifest_digest: str
    refusal_reason: Reason.ValueType = Reason.REASON_UNSPECIFIED
    refusal_message: str = ""
    is_resumed: bool = False
    namespace_graph: StageGraph = field(default_factory=StageGraph)


@dataclass(frozen=True, slots=True)
class EndGrant:
    """Note that a grant ended, and take out what still holds `target` by it.

    `successor` takes its place where nobody else holds the target: 0 for nobody.
    """

    model: str
    target: str
    number: int
    approval: str
    successor: int = 0
    successor_approval: str = ""


@dataclass(frozen=True, slots=True)
class ImportItem:
    """One thing of a batch, as the commands that would have made it; `field` says where it stands.

    A version has its `number`: it is the next one, or nothing is written.
    """

    field: str
    commands: tuple["Command", ...]
    number: int = 0
    is_number_given: bool = False


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """Do what each item asks, in order, or nothing at all."""

    model: str
    items: tuple[ImportItem, ...]


Command: TypeAlias = (
    CreateModel
    | ClaimName
    | RenameModel
    | UpdateModel
    | ArchiveModel
    | RestoreModel
    | RegisterVersion
    | SealVersion
    | UpdateVersion
    | ArchiveVersion
    | RestoreVersion
    | SetTarget
    | RollBack
    | SetStageGraph
    | UnsetTarget
    | MoveByGrant
    | EndGrant
    | ImportBatch
)
