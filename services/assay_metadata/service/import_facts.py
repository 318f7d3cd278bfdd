"""What the other services know of a batch: each manifest and each grant is asked for once.

Several questions are under way at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import assay.metadata.v1.metadata_service_pb2 as api
from assay.artifact.v1.resources_pb2 import Manifest
from assay.metadata.v1.resources_pb2 import StageGraph
from assay.names import ArtifactName, ModelName, StageName, VersionName, target
from assay_metadata import ports
from assay_metadata.domain.commands import ImportBatch, ImportItem, SetTarget
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Model as ModelState
from assay_metadata.service.import_items import Reader, named, named_items
from assay_metadata.service.models import Models
from assay_metadata.service.versions import Versions, is_kept

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
            grant = await ports.check_grant(self._peers, target(move[0]), version, digest, after)
            return grant.is_governed, grant.approval if grant.is_governed else ""

        grants = await _all(asked, ask)
        return tuple(_granted(item, grants) for item in items)


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
