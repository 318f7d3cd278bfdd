"""The order of an export: whatever a version was made from comes before it, also across models."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion, StageGraph, StageRule, State
from assay.names import ModelName, VersionName
from assay.type.v1.moment_pb2 import Moment
from assay_metadata.queries import exporting, models
from assay_serve.call import Context
from assay_serve.postgres import Reads, Snapshot

_MOST_ITEMS = 500
_MOST_BYTES = 2 * 1024 * 1024  # and one item more, which is smaller: less than 4 MiB
_ALL = 2**63 - 1


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


@dataclass(frozen=True, slots=True)
class _Way:
    """A model that is walked up to a version, or to its end."""

    model: Model
    until: int = _ALL

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
            needed = await self._go(ways[-1], before=ways[0].name)
            if needed is None:
                ways.pop()
            else:
                ways.append(await self._way(needed))
            for part in self._parts.full():
                yield part
        for part in self._parts.rest():
            yield part

    async def _way(self, needed: VersionName) -> _Way:
        async with self._pinned.snapshot() as snapshot:
            return _Way(await models.get(snapshot, needed.parent), needed.number)

    async def _go(self, way: _Way, before: ModelName) -> VersionName | None:
        """Go on until the end of the way, or until a version of another model is needed first."""
        if way.model.name not in self._begun:
            self._parts.add(way, api.ImportItem(model=_opening(way.model)))
        at = self._begun.setdefault(way.model.name, 0)
        while at < way.until:
            async with self._pinned.snapshot() as snapshot:
                page = await exporting.page_of_model(snapshot, way.name, at)
            for version in page.versions:
                needed = self._needed(version, before)
                if needed is not None:
                    return needed
                self._parts.add(way, api.ImportItem(model_version=version))
                at = self._begun[way.model.name] = version.number
                if at == way.until:
                    return None
            if page.is_last:
                self._finish(way, page)
                return None
        return None

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

    def _finish(self, way: _Way, page: exporting.Page) -> None:
        self._parts.extend(way, (api.ImportItem(alias=alias) for alias in page.aliases))
        self._parts.extend(way, (api.ImportItem(stage=stage) for stage in page.stages))
        if _opening(way.model) != way.model:
            finished = Model(
                name=way.model.name, state=way.model.state, stage_graph=way.model.stage_graph
            )
            self._parts.add(way, api.ImportItem(finished_model=finished))
        del self._begun[way.model.name]


class _Parts:
    """Items gathered into answers: of one model each, and not too large."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._full = list[api.ExportResponse]()
        self._last = api.ExportResponse()
        self._size = 0

    def add(self, way: _Way, item: api.ImportItem) -> None:
        """Take in an item of a model."""
        is_large = len(self._last.items) >= _MOST_ITEMS or self._size > _MOST_BYTES
        if is_large or self._last.model != way.model.name:
            self._close()
            self._last.model, self._last.consistency_token = way.model.name, self._token
        self._last.items.append(item)
        self._size += item.ByteSize()

    def extend(self, way: _Way, items: Iterable[api.ImportItem]) -> None:
        """Take in several items of a model."""
        for item in items:
            self.add(way, item)

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


def _opening(model: Model) -> Model:
    """Return a model as it is when it begins: in use, its stages entered from anywhere."""
    opening = Model()
    opening.CopyFrom(model)
    opening.state = State.STATE_ACTIVE
    if model.HasField("stage_graph"):
        rules = [
            StageRule(stage=rule.stage, max_holders=rule.max_holders)
            for rule in model.stage_graph.rules
        ]
        opening.stage_graph.CopyFrom(StageGraph(rules=rules))
    return opening
