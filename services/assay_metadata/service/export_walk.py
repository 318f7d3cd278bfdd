"""The order of an export: whatever a version was made from comes before it, also across models."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import (
    Alias,
    Model,
    ModelVersion,
    Stage,
    StageGraph,
    StageRule,
    State,
)
from assay.names import ModelName, StageName, VersionName
from assay.type.v1.moment_pb2 import Moment
from assay_metadata.domain.graph import MOST_HOLDERS
from assay_metadata.queries import exporting, models
from assay_serve.call import Context
from assay_serve.postgres import Reads, Snapshot

_MOST_ITEMS = 500
_MOST_BYTES = 2 * 1024 * 1024  # and one item more, which is smaller: less than 4 MiB


@dataclass(frozen=True, slots=True)
class Pinned:
    """The one revision that an export is of."""

    reads: Reads
    revision: int
    token: str
    context: Context

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Give a transaction for one page."""
        return self.reads.at(self.token, Moment(revision=self.revision), self.context)


@dataclass(slots=True)
class _Way:
    """A model that is walked up to a version, or to its end, and what is read of it already."""

    model: Model
    until: int = exporting.END
    page: exporting.Page = field(default_factory=exporting.Page)

    @property
    def name(self) -> ModelName:
        """The model's name."""
        return ModelName.parse(self.model.name)


class Walk:
    """Walks models by id; goes ahead in a later one only as far as an earlier one needs it.

    It remembers how far it went in models that it has begun and not finished.
    """

    def __init__(self, pinned: Pinned, *, is_namespace: bool) -> None:
        self._pinned = pinned
        self._is_namespace = is_namespace
        self._begun: dict[str, int] = {}
        self._parts = _Parts(pinned.token)

    async def model(self, model: Model) -> AsyncGenerator[api.ExportResponse, None]:
        """Yield all of a model, and before it what it needs of others."""
        ways = [_Way(model)]
        while ways:
            way = ways[-1]
            await self._read_on(way)
            needed = self._take(way, before=ways[0].name)
            if needed is not None:
                ways.append(await self._way(needed))
            elif way.page.is_last:
                self._end(ways.pop())
            for part in self._parts.full():
                yield part
        for part in self._parts.rest():
            yield part

    async def _way(self, needed: VersionName) -> _Way:
        async with self._pinned.snapshot() as snapshot:
            return _Way(await models.get(snapshot, needed.parent), needed.number)

    async def _read_on(self, way: _Way) -> None:
        """Read the next page, where all that was read is taken."""
        if way.model.name not in self._begun:
            self._parts.add(way.model, opening(way.model))
            self._begun[way.model.name] = 0
        if not way.page.versions:
            at = self._begun[way.model.name]
            async with self._pinned.snapshot() as snapshot:
                way.page = await exporting.page_of_model(snapshot, way.name, at, way.until)

    def _take(self, way: _Way, before: ModelName) -> VersionName | None:
        """Take what was read, until a version of another model is needed first."""
        while way.page.versions:
            needed = self._needed(way.page.versions[0], before)
            if needed is not None:
                return needed
            version = way.page.versions.popleft()
            self._parts.add(way.model, api.ImportItem(model_version=version))
            self._begun[way.model.name] = version.number
        return None

    def _end(self, way: _Way) -> None:
        if way.until != exporting.END:
            return
        for item in ending(way.model, way.page.aliases, way.page.stages):
            self._parts.add(way.model, item)
        del self._begun[way.model.name]

    def _needed(self, version: ModelVersion, before: ModelName) -> VersionName | None:
        """Return a version of another model that this one was made from and that is still to come.

        The models whose ids come before that of `before` are done.
        """
        if not self._is_namespace:
            return None
        for parent in version.parent_versions:
            name = VersionName.parse(parent)
            own = VersionName.parse(version.name).parent
            is_done = name.model < before.model and str(name.parent) not in self._begun
            if name.parent == own or is_done:
                continue
            if self._begun.get(str(name.parent), 0) < name.number:
                return name
        return None


class _Parts:
    """Items gathered into answers: of one model each, and not too large."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._full = list[api.ExportResponse]()
        self._last = api.ExportResponse()
        self._size = 0

    def add(self, model: Model, item: api.ImportItem) -> None:
        """Take in an item of a model."""
        is_large = len(self._last.items) >= _MOST_ITEMS or self._size > _MOST_BYTES
        if is_large or self._last.model != model.name:
            self._close()
            self._last.model, self._last.consistency_token = model.name, self._token
        self._last.items.append(item)
        self._size += item.ByteSize()

    def full(self) -> list[api.ExportResponse]:
        """Return the answers that take no more, once."""
        full, self._full = self._full, []
        return full

    def rest(self) -> list[api.ExportResponse]:
        """Return all answers that were not returned yet."""
        self._close()
        return self.full()

    def _close(self) -> None:
        if self._last.items:
            self._full.append(self._last)
        self._last, self._size = api.ExportResponse(), 0


def opening(model: Model) -> api.ImportItem:
    """Return a model as it begins: in use, and its stages entered from anywhere."""
    item = api.ImportItem(model=model)
    item.model.state = State.STATE_ACTIVE
    item.model.ClearField("stage_graph")
    return item


def ending(
    model: Model, aliases: Iterable[Alias], stages: Sequence[Stage]
) -> Iterator[api.ImportItem]:
    """Yield what comes after the versions: who holds what, and then by which rules.

    A stage with several holders gets a rule for as long as they enter.
    """
    yield from (api.ImportItem(alias=alias) for alias in aliases)
    shared = [stage for stage in stages if _is_shared(stage)]
    if shared:
        yield api.ImportItem(changed_model=Model(name=model.name, stage_graph=_open(shared)))
    yield from (api.ImportItem(stage=stage) for stage in stages)
    changed = Model(name=model.name, state=model.state)
    if shared or model.HasField("stage_graph"):
        changed.stage_graph.CopyFrom(model.stage_graph)
    if changed.HasField("stage_graph") or model.state == State.STATE_ARCHIVED:
        yield api.ImportItem(changed_model=changed)


def _is_shared(stage: Stage) -> bool:
    """Return whether a stage is held as only those are that may have several holders."""
    return len(stage.holders) > 1 or any(holder.weight for holder in stage.holders)


def _open(stages: Iterable[Stage]) -> StageGraph:
    """Return the graph by which several may hold each of these stages, from anywhere."""
    names = [StageName.parse(stage.name).stage for stage in stages]
    return StageGraph(rules=[StageRule(stage=name, max_holders=MOST_HOLDERS) for name in names])
