"""Reading the whole stream, when what serves it dies at the worst moment."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from assay_events.connection import Connection, Inbox
from assay_events.errors import StreamCorrupt
from assay_events.reader import Reader

METADATA = frozenset({"metadata"})
PULL_ENDED = {"Status": "409", "Description": "Server Shutdown"}


class DyingConnection(Connection):
    """A connection whose pulls bring what a test says."""

    def __init__(self, *pulls: list[Msg]) -> None:
        """Begin with the pulls still to come."""
        super().__init__(Client(), "assay.js.")
        self.pulls = list(pulls)
        self.starts: list[int] = []

    @asynccontextmanager
    async def pull_inbox(self, wake: asyncio.Event | None = None) -> AsyncIterator[Inbox]:
        """Give an inbox."""
        yield Inbox(wake)

    async def api(
        self,
        verb: str,  # noqa: ARG002 - as the real one
        body: Mapping[str, Any] | None = None,
        seconds: float = 2.0,  # noqa: ARG002 - as the real one
    ) -> dict[str, Any]:
        """Make a consumer, and remember where it begins."""
        self.starts.append((body or {})["config"]["opt_start_seq"])
        return {}

    async def call(
        self,
        inbox: Inbox,
        verb: str,  # noqa: ARG002 - as the real one
        body: Mapping[str, Any],  # noqa: ARG002 - as the real one
    ) -> None:
        """Bring what the next pull brings."""
        for message in self.pulls.pop(0):
            inbox.put(message)


def event(revision: int, delivered: int) -> Msg:
    """Return an event as a consumer delivers it, as the how-manieth of its messages."""
    reply = f"$JS.ACK.ASSAY.name.1.{revision}.{delivered}.1700000000000000000.0"
    return Msg(Client(), subject="assay.v1.metadata.model.0", reply=reply, data=b"event")


def answer(headers: dict[str, str]) -> Msg:
    """Return what ends a pull."""
    return Msg(Client(), subject="_INBOX.test", headers=headers)


class Stream:
    """A stream with messages of one context."""

    def __init__(self, *revisions: int) -> None:
        """Hold messages at `revisions`; the last one ends the stream."""
        self.revisions = revisions

    async def last_revision(self) -> int:
        """Return how far the stream goes."""
        return self.revisions[-1]

    async def next_revision(self, after: int, _: frozenset[str]) -> int:
        """Return the next of the revisions."""
        return next((revision for revision in self.revisions if revision > after), 0)


async def test_an_event_that_came_with_the_end_of_its_pull_is_not_lost() -> None:
    connection = DyingConnection([event(1, 1), answer(PULL_ENDED)], [event(2, 1)])
    read = Reader(connection, Stream(1, 2)).read(0, follow=False)
    assert [stored.revision async for batch in read for stored in batch] == [1, 2]
    assert connection.starts == [1, 2]


async def test_a_message_lost_on_the_way_is_read_again_where_gaps_are_no_fault() -> None:
    connection = DyingConnection([event(2, 1), event(9, 3)], [event(5, 1), event(9, 2)])
    read = Reader(connection, Stream(2, 5, 9), METADATA).read(0, follow=False)
    assert [stored.revision async for batch in read for stored in batch] == [2, 5, 9]
    assert connection.starts == [1, 3]


async def test_a_gap_in_the_whole_stream_is_a_fault() -> None:
    connection = DyingConnection([event(1, 1), event(3, 2)])
    read = Reader(connection, Stream(1, 2, 3)).read(0, follow=False)
    with pytest.raises(StreamCorrupt, match="from revision 1 to 3: events are missing"):
        _ = [batch async for batch in read]
