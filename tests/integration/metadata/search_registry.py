"""A random registry in a real read model, and what the reference knows of it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime

from google.protobuf.message import Message

from assay.metadata.v1.metadata_service_pb2 import SearchModelsRequest, SearchModelVersionsRequest
from assay.names import NamespaceName
from assay.type.v1.moment_pb2 import Moment
from assay_events import codec
from assay_events.memory import MemoryStore
from assay_metadata.projection.rows import METADATA
from assay_metadata.queries import model_search, search
from assay_serve.paging import pinned_revision
from tests.integration.metadata.search_events import SPACE, Script
from tests.support import search_reference as reference
from tests.support.read_model import Following, following
from tests.support.scribe import Scribe
from tests.support.search_reference import State

EVENTS = 300
PARENT = NamespaceName.parse(SPACE)


class Registry:
    """A random registry with what the reference knows of it at each revision, from 0 on."""

    def __init__(self, seed: int) -> None:
        self.script = Script(seed)
        self.states = [State()]
        self.times = list[datetime]()
        self._store = MemoryStore()
        self._scribe = Scribe({"metadata": self._store})
        self._runner = asyncio.Runner()
        self._opened = AsyncExitStack()
        self._following: Following

    def open(self, dsn: str) -> None:
        """Fill it, and let a read model follow."""
        self._runner.run(self._open(dsn))

    def close(self) -> None:
        """End the read model."""
        self._runner.run(self._opened.aclose())
        self._runner.close()

    def versions(
        self, request: SearchModelVersionsRequest, revision: int, *, writing: bool
    ) -> tuple[list[str], list[int]]:
        """Return the names on all pages, and what was counted on each."""
        return self._runner.run(self._versions(request, revision, writing=writing))

    def models(self, request: SearchModelsRequest, revision: int) -> list[str]:
        """Return the names on all pages."""
        return self._runner.run(self._models(request, revision))

    def revision_at(self, at: datetime) -> int:
        """Return the revision that a search as of a time is of."""
        moment = Moment()
        moment.time.FromDatetime(at)
        return self._runner.run(self._revision_at(moment))

    def stream_time(self, revision: int) -> datetime:
        """Return the time that the stream gave an event."""
        return self._store.messages[revision - 1].stream_time

    async def _revision_at(self, moment: Moment) -> int:
        async with self._following.reads.at("", moment) as snapshot:
            return snapshot.revision

    async def _open(self, dsn: str) -> None:
        for event in self.script.opening():
            await self._write(event)
        while len(self.states) <= EVENTS:
            await self._write(self.script.next())
        self._following = await self._opened.enter_async_context(
            following(self._store, METADATA, dsn)
        )
        await self._following.reach(EVENTS)

    async def _write(self, event: Message) -> int:
        revision = await self._scribe.write(event)
        at = codec.decode_leniently(self._store.messages[-1]).time
        self.times.append(at)
        self.states.append(reference.after(self.states[-1], event, revision, at))
        return revision

    async def _versions(
        self, request: SearchModelVersionsRequest, revision: int, *, writing: bool
    ) -> tuple[list[str], list[int]]:
        found, counted, moment = list[str](), list[int](), Moment(revision=revision)
        while True:
            async with self._following.reads.at("", moment) as snapshot:
                page, token, count = await search.version_page(snapshot, PARENT, request)
            found += [version.name for version in page]
            counted.append(count)
            if not token:
                return found, counted
            request.page_token, moment = token, Moment(revision=pinned_revision(token))
            if writing:
                await self._following.reach(await self._write(self.script.next()))

    async def _models(self, request: SearchModelsRequest, revision: int) -> list[str]:
        found, moment = list[str](), Moment(revision=revision)
        while True:
            async with self._following.reads.at("", moment) as snapshot:
                page, token, _ = await model_search.model_page(snapshot, PARENT, request)
            found += [model.name for model in page]
            if not token:
                return found
            request.page_token, moment = token, Moment(revision=pinned_revision(token))
