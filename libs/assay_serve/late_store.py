"""The event store of a process that must start, and stay, while the store itself may be away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from assay_events import stream
from assay_events.connection import Address, Connection
from assay_events.envelope import NewMessage, Stored
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.jetstream import JetStream

_RETRY_SECONDS = 0.5
_CHECK_SECONDS = 5.0

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class LateStore:
    """Is the JetStream store once it has connected; before that every request is Unavailable."""

    def __init__(self, address: Address, on_health: Callable[[str], None]) -> None:
        self._address = address
        self._on_health = on_health
        self._store: JetStream | None = None

    async def run(self) -> None:
        """Connect as soon as something answers; then keep checking that no event can get lost."""
        self._on_health("The event store has not answered yet.")
        connection = await self._connect()
        self._store = JetStream(connection)
        problem = ""
        try:
            while True:
                found = await self._problem(connection, self._store)
                if found != problem:
                    log.warning("store.health", problem=found)
                problem = found
                self._on_health(found)
                await asyncio.sleep(_RETRY_SECONDS if found else _CHECK_SECONDS)
        finally:
            await connection.close()

    async def _connect(self) -> Connection:
        is_told = False
        while True:
            try:
                return await Connection.open(self._address)
            except Unavailable as error:
                if not is_told:
                    log.warning("store.waits", cause=error.message)
                is_told = True
                await asyncio.sleep(_RETRY_SECONDS)

    async def _problem(self, connection: Connection, store: JetStream) -> str:
        """Return what is wrong; a stream that could lose events takes none until it is mended."""
        try:
            await stream.check(connection)
        except StreamCorrupt as fault:
            store.fault = fault
            return fault.message
        except Unavailable as error:
            return error.message
        store.fault = None
        return ""

    @property
    def _connected(self) -> JetStream:
        if self._store is None:
            raise Unavailable("The event store has not answered yet. Try again.")
        return self._store

    async def append(self, nats_subject: str, messages: Sequence[NewMessage], expected: int) -> int:
        """Append as the store does."""
        return await self._connected.append(nats_subject, messages, expected)

    async def last(self, nats_subject: str) -> Stored | None:
        """Return what the store does."""
        return await self._connected.last(nats_subject)

    async def read_subject(self, nats_subject: str, after: int = 0) -> Sequence[Stored]:
        """Return what the store does."""
        return await self._connected.read_subject(nats_subject, after)

    async def read_one(self, nats_subject: str, revision: int) -> Stored | None:
        """Return what the store does."""
        return await self._connected.read_one(nats_subject, revision)

    async def last_revision(self) -> int:
        """Return what the store does."""
        return await self._connected.last_revision()

    async def next_revision(self, after: int, contexts: frozenset[str]) -> int:
        """Return what the store does."""
        return await self._connected.next_revision(after, contexts)

    def read(
        self,
        after: int,
        *,
        follow: bool,
        contexts: frozenset[str] | None = None,
        wake: asyncio.Event | None = None,
    ) -> AsyncIterator[Sequence[Stored]]:
        """Yield what the store does."""
        return self._connected.read(after, follow=follow, contexts=contexts, wake=wake)
