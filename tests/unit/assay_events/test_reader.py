"""Reading the whole stream, when what serves it dies at the worst moment."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from assay_events.connection import Connection, Inbox
from assay_events.reader import Reader

PULL_ENDED = {"Status": "409", "Description": "Server Shutdown"}


class DyingConnection(Connection):
    """A connection whose first pull brings one event and, right behind it, its own end."""

    def __init__(self) -> None:
        """Begin with the pulls still to come."""
        super().__init__(Client(), "assay.js.")
        self.pulls = [[event(1), answer(PULL_ENDED)], [event(2)]]
        self.starts: list[int] = []

    @asynccontextmanager
    async def pull_inbox(self) -> AsyncIterator[Inbox]:
        """Give an inbox."""
        yield Inbox()

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


def event(revision: int) -> Msg:
    """Return an event as a consumer delivers it."""
    reply = f"$JS.ACK.ASSAY.name.1.{revision}.{revision}.1700000000000000000.0"
    return Msg(Client(), subject="assay.v1.metadata.model.0", reply=reply, data=b"event")


def answer(headers: dict[str, str]) -> Msg:
    """Return what ends a pull."""
    return Msg(Client(), subject="_INBOX.test", headers=headers)


async def last_revision() -> int:
    """Return how far the stream goes."""
    return 2


async def test_an_event_that_came_with_the_end_of_its_pull_is_not_lost() -> None:
    connection = DyingConnection()
    read = Reader(connection, last_revision).read(0, follow=False)
    assert [stored.revision async for batch in read for stored in batch] == [1, 2]
    assert connection.starts == [1, 2]
