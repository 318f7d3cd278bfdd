"""What a batch of an import is made of: its items as commands, with what other services know.

Each manifest is asked for once, and several questions are under way at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import assay.metadata.v1.metadata_service_pb2 as api
from assay.artifact.v1.resources_pb2 import Manifest
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import (
    Alias,
    Model,
    ModelVersion,
    Stage,
    StageGraph,
    StageHolder,
    State,
)
from assay.names import (
    AliasName,
    ArtifactName,
    MalformedName,
    ModelName,
    StageName,
    VersionName,
    target,
)
from assay_events.decider import Invalid, Refusal
from assay_metadata import ports
from assay_metadata.domain import graph
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    Command,
    ImportBatch,
    ImportItem,
    SetStageGraph,
    SetTarget,
)
from assay_metadata.domain.importing import at
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Model as ModelState
from assay_metadata.service.models import Models, creation
from assay_metadata.service.parts import number_in
from assay_metadata.service.versions import Versions, is_kept, registration, with_files
from assay_trust.errors import TrustError

_MOST_AT_ONCE = 16  # questions to another service
_Question = TypeVar("_Question")
_Fact = TypeVar("_Fact")


class ImportFacts(Models, Versions):
    """Items of a batch are read, and what others know of them is asked."""

    async def _items(
        self, request: api.ImportRequest, model: ModelName, state: ModelState
    ) -> tuple[ImportItem, ...]:
        """Return the items as commands about `model`, whose state is `state`."""
        given = ModelName.parse(request.model)
        manifests = await self._manifests(request, model)
        foreign = await self._foreign_parents(request, model)
        if any(item.HasField("model") for item in request.items):
            await self._require(model.parent)
        reader = Reader(given, model, manifests, foreign, len(state.versions))
        items = tuple(reader.read(field, item) for field, item in named_items(request))
        if not any(item.HasField("alias") or item.HasField("stage") for item in request.items):
            return items
        return await self._governed(model, items, state)

    async def _manifests(
        self, request: api.ImportRequest, model: ModelName
    ) -> Mapping[str, Manifest]:
        """Return the manifest of each version that says it has one, by its digest as given."""
        asked = dict[str, str]()
        for field, item in named_items(request):
            if item.HasField("model_version") and is_kept(item.model_version):
                asked.setdefault(item.model_version.manifest_digest, field)

        async def ask(digest: str) -> Manifest:
            name = ArtifactName.of(model.parent, digest)
            return await ports.committed_manifest(self._commands, name)

        return await _all(asked, ask)

    async def _foreign_parents(
        self, request: api.ImportRequest, model: ModelName
    ) -> Mapping[str, str]:
        """Return the lasting name of each version of another model that one was made from."""
        asked = dict[str, str]()
        for field, item in named_items(request):
            for parent in item.model_version.parent_versions:
                with named(field):
                    name = VersionName.parse(parent)
                if name.parent != model and str(name.parent) != request.model:
                    asked.setdefault(parent, field)

        async def ask(parent: str) -> str:
            (found,) = await self._parents(model, [parent])
            return found

        return await _all(asked, ask)

    async def _governed(
        self, model: ModelName, items: Sequence[ImportItem], state: ModelState
    ) -> tuple[ImportItem, ...]:
        """Return the items, their moves with what the approval service says of each.

        The rules look at the batch first: the approval service is asked of versions that are there.
        """
        namespace_graph = await self._namespace_graph(StageName(model.namespace, model.model, "-"))
        items = [_under(item, namespace_graph) for item in items]
        after = state
        for event in MODEL.decide(ImportBatch(str(model), tuple(items)), state):
            after = MODEL.evolve(after, event)
        asked = {(move.target, move.number): item.field for item in items for move in _moves(item)}

        async def ask(move: tuple[str, int]) -> tuple[bool, str]:
            digest = after.versions[move[1]].manifest_digest
            version = model.version(move[1])
            grant = await ports.check_grant(self._peers, target(move[0]), version, digest)
            return grant.is_governed, grant.approval if grant.is_governed else ""

        grants = await _all(asked, ask)
        return tuple(_granted(item, grants) for item in items)


class Reader:
    """Reads items in order: versions without a number get the next one."""

    def __init__(
        self,
        given: ModelName,
        model: ModelName,
        manifests: Mapping[str, Manifest],
        foreign: Mapping[str, str],
        number: int,
    ) -> None:
        self._given = given
        self._model = model
        self._manifests = manifests
        self._foreign = foreign
        self._number = number

    def read(self, field: str, item: api.ImportItem) -> ImportItem:
        """Return an item as the commands that it stands for."""
        with named(field):
            match item.WhichOneof("item"):
                case "model":
                    return ImportItem(field, tuple(self._new_model(item.model)))
                case "changed_model":
                    return ImportItem(field, tuple(self._changed(item.changed_model)))
                case "model_version":
                    return self._version(field, item.model_version)
                case "alias":
                    return ImportItem(field, self._alias(item.alias))
                case "stage":
                    return ImportItem(field, self._stage(item.stage))
            raise Invalid(Reason.REASON_REQUIRED, "Say what is to be imported.")

    def _new_model(self, given: Model) -> Iterator[Command]:
        self._check_own(given.name)
        yield creation(self._model, given)
        yield from self._changes(given)

    def _changed(self, given: Model) -> Iterator[Command]:
        self._check_own(given.name)
        yield from self._changes(given)

    def _changes(self, given: Model) -> Iterator[Command]:
        if given.HasField("stage_graph"):
            yield SetStageGraph(str(self._model), graph.parsed(given.stage_graph))
        if given.state == State.STATE_ARCHIVED:
            yield ArchiveModel(str(self._model))

    def _version(self, field: str, given: ModelVersion) -> ImportItem:
        self._number += 1
        named_number = self._number_of(given.name, "name") if given.name else 0
        number = given.number or named_number or self._number
        if named_number not in {0, number}:
            raise Invalid(
                Reason.REASON_MALFORMED,
                f"Give the version one number: it is {number}, and its name is {given.name}.",
                field="number",
            )
        command = registration(self._model, given, self._parent_versions(given))
        if is_kept(given):
            command = with_files(command, self._manifests[given.manifest_digest])
        commands: tuple[Command, ...] = (command,)
        if given.state == State.STATE_ARCHIVED:
            commands = (command, ArchiveVersion(str(self._model), number))
        return ImportItem(
            field, commands, number, is_number_given=bool(given.number or named_number)
        )

    def _parent_versions(self, given: ModelVersion) -> list[str]:
        found = [
            self._foreign.get(name) or str(self._model.version(VersionName.parse(name).number))
            for name in given.parent_versions
        ]
        return list(dict.fromkeys(found))

    def _alias(self, given: Alias) -> tuple[Command, ...]:
        name = AliasName.parse(given.name)
        self._check_own(str(name.parent))
        own = AliasName(self._model.namespace, self._model.model, name.alias)
        return (self._move(str(own), given.version, "version"),)

    def _stage(self, given: Stage) -> tuple[Command, ...]:
        name = StageName.parse(given.name)
        self._check_own(str(name.parent))
        own = str(StageName(self._model.namespace, self._model.model, name.stage))
        holders = given.holders or [StageHolder(version=given.version)]
        moves = [
            replace(self._move(own, holder.version, "version"), weight=holder.weight)
            for holder in holders
        ]
        return (moves[0], *(replace(move, is_beside=True) for move in moves[1:]))

    def _move(self, name: str, version: str, field: str) -> SetTarget:
        if not version:
            raise Invalid(Reason.REASON_REQUIRED, "Fill in the version that holds it.", field=field)
        return SetTarget(str(self._model), name, self._number_of(version, field))

    def _number_of(self, version: str, field: str) -> int:
        """Return the number of a version of the model, by whichever of its names."""
        name = VersionName.parse(version)
        if name.parent == self._given:
            return name.number
        return number_in(self._model, version, field)

    def _check_own(self, name: str) -> None:
        """Refuse what is of another model than the batch."""
        if name and ModelName.parse(name) not in {self._given, self._model}:
            raise Invalid(
                Reason.REASON_MALFORMED,
                f"Send what is of {name} in a batch of its own; this one is of {self._given}.",
                field="name",
            )


def named_items(request: api.ImportRequest) -> Iterator[tuple[str, api.ImportItem]]:
    """Yield each item with the field of the request that holds it."""
    for index, item in enumerate(request.items):
        yield f"items[{index}].{item.WhichOneof('item') or 'item'}", item


@contextmanager
def named(field: str) -> Iterator[None]:
    """Say in each refusal which item was refused."""
    try:
        yield
    except (MalformedName, TrustError) as error:
        raise at(Invalid(Reason.REASON_MALFORMED, str(error)), field) from None
    except Refusal as refusal:
        raise at(refusal, field) from None


async def _all(
    asked: Mapping[_Question, str], ask: Callable[[_Question], Awaitable[_Fact]]
) -> dict[_Question, _Fact]:
    """Return what `ask` finds for each question; raise the first refusal, with its field."""
    free = asyncio.Semaphore(_MOST_AT_ONCE)

    async def one(question: _Question) -> _Fact:
        async with free:
            with named(asked[question]):
                return await ask(question)

    try:
        async with asyncio.TaskGroup() as tasks:
            running = {question: tasks.create_task(one(question)) for question in asked}
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return {question: task.result() for question, task in running.items()}


def _moves(item: ImportItem) -> list[SetTarget]:
    return [command for command in item.commands if isinstance(command, SetTarget)]


def _under(item: ImportItem, namespace_graph: StageGraph) -> ImportItem:
    """Return an item whose moves know the stage graph of the namespace."""
    if not _moves(item):
        return item
    moves = tuple(replace(move, namespace_graph=namespace_graph) for move in _moves(item))
    return replace(item, commands=moves)


def _granted(item: ImportItem, grants: Mapping[tuple[str, int], tuple[bool, str]]) -> ImportItem:
    """Return an item whose moves know whether they are governed, and by which approval allowed."""
    if not _moves(item):
        return item
    known = [(move, *grants[move.target, move.number]) for move in _moves(item)]
    moves = (
        replace(move, is_governed=is_governed, approval=approval)
        for move, is_governed, approval in known
    )
    return replace(item, commands=tuple(moves))
