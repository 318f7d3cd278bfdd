"""Reads the stream in order through an ephemeral pull consumer, whole or of some contexts.

Knows no position but the caller's.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from nats.aio.msg import Msg

from assay_events.connection import Connection, Inbox
from assay_events.envelope import Stored, header_type, subjects_of
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.store import Progress

_STREAM = "ASSAY"
_BATCH = 1000
_SECOND = 1_000_000_000
_PULL_SECONDS = 20
_IDLE_SECONDS = 1.0
_LOOK_SECONDS = 5
_SILENT_SECONDS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _ConsumerGone(Exception):
    """The consumer does not answer any more."""


class Reader:
    """One reading of the stream. A lost consumer or connection is made again where it stopped.

    Without `contexts` it is whole: a revision that does not come is a fault of the stream. With
    them the broker leaves out what belongs to others (docs/adr/0012).
    """

    def __init__(
        self,
        connection: Connection,
        progress: Progress,
        contexts: frozenset[str] | None = None,
        wake: asyncio.Event | None = None,
    ) -> None:
        """Read over `connection`; `progress` tells how far the stream goes."""
        self._connection = connection
        self._progress = progress
        self._contexts = contexts
        self._wake = wake
        self._position = 0
        self._delivered = 0  # messages that the consumer has given
        self._is_gone = False

    async def read(self, after: int, *, follow: bool) -> AsyncIterator[Sequence[Stored]]:
        """Yield all messages after a revision in order, in batches.

        An empty batch says that nothing came.
        """
        self._position = after
        end = await self._progress.last_revision()
        if end < after:
            raise StreamCorrupt(
                f"The stream ends at revision {end}, but {after} was read before: "
                "history is missing.",
                end,
            )
        while follow or await self._is_behind(end):
            try:
                async for batch in self._read_one_consumer(end=0 if follow else end):
                    yield batch
            except _ConsumerGone:
                continue

    async def _read_one_consumer(self, end: int) -> AsyncIterator[Sequence[Stored]]:
        """Yield batches until `end` is reached, for ever when `end` is 0."""
        name = await self._make_consumer()
        asked, heard, looked = 0, time.monotonic(), time.monotonic()
        async with self._connection.pull_inbox(self._wake) as inbox:
            while True:
                if asked <= 0:
                    await self._pull(inbox, name)
                    asked += _BATCH
                messages = await inbox.take(_IDLE_SECONDS)
                batch, now = self._in_order(messages), time.monotonic()
                heard = now if messages else heard
                if not messages and now - max(heard, looked) >= _LOOK_SECONDS:
                    await self._check_not_starved()
                    looked = now
                yield batch  # before anything else: what was read counts as read
                asked -= len(batch) + sum(_unfilled(message) for message in messages)
                if end and not _pending(messages) and not await self._is_behind(end):
                    return
                if self._is_gone or now - heard >= _SILENT_SECONDS:
                    raise _ConsumerGone

    async def _make_consumer(self) -> str:
        # The name space of consumers is shared by all accounts: a name that can be guessed can be
        # hijacked.
        name = secrets.token_hex(16)
        config: dict[str, object] = {
            "name": name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._position + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": True,
            "inactive_threshold": 30 * _SECOND,
        }
        if self._contexts is not None:
            config["filter_subjects"] = [subjects_of(context) for context in self._contexts]
        self._delivered, self._is_gone = 0, False
        answer = await self._connection.api(
            f"CONSUMER.CREATE.{_STREAM}.{name}",
            {"stream_name": _STREAM, "config": config, "action": "create"},
            seconds=5.0,
        )
        if "error" in answer:
            raise Unavailable(f"The stream cannot be read: {answer['error'].get('description')}.")
        return name

    async def _pull(self, inbox: Inbox, name: str) -> None:
        request = {
            "batch": _BATCH,
            "expires": _PULL_SECONDS * _SECOND,
            "idle_heartbeat": 3 * _SECOND,
        }
        await self._connection.call(inbox, f"CONSUMER.MSG.NEXT.{_STREAM}.{name}", request)

    def _in_order(self, messages: Sequence[Msg]) -> list[Stored]:
        """Return the events among `messages`, each right after the one before."""
        batch: list[Stored] = []
        for message in messages:
            if not _is_event(message):
                continue
            stored = _stored(message)
            if self._contexts is None:
                self._check_follows(stored.revision)
            elif int(message.reply.split(".")[6]) != self._delivered + 1:
                self._is_gone = True  # a message was lost on the way: read on from here once more
                break
            self._delivered += 1
            self._position = stored.revision
            batch.append(stored)
        return batch

    def _check_follows(self, revision: int) -> None:
        """Notice a message that the whole stream leaves out."""
        if revision != self._position + 1:
            raise StreamCorrupt(
                f"The stream goes from revision {self._position} to "
                f"{revision}: events are missing.",
                self._position + 1,
            )

    async def _is_behind(self, end: int) -> bool:
        """Return whether there is more to read up to a revision."""
        if self._position >= end or self._contexts is None:
            return self._position < end
        found = await self._progress.next_revision(self._position, self._contexts)
        return 0 < found <= end

    async def _check_not_starved(self) -> None:
        """Notice a consumer that delivers nothing although the stream has more."""
        if await self._is_behind(await self._progress.last_revision()):
            raise _ConsumerGone


def _is_event(message: Msg) -> bool:
    return message.reply.startswith("$JS.ACK.")


def _pending(messages: Sequence[Msg]) -> int:
    """Return how many messages come after the last event of `messages`, as its consumer knew."""
    events = [message for message in messages if _is_event(message)]
    return int(events[-1].reply.split(".")[8]) if events else 0


def _unfilled(message: Msg) -> int:
    """Return how many messages a pull that has ended did not bring.

    0 for an event or a heartbeat.
    """
    if _is_event(message):  # whatever headers it was written with
        return 0
    headers = message.headers or {}
    status = headers.get("Status", "")
    if not status or status == "100":
        return 0
    if status in {"404", "408"}:
        return int(headers.get("Nats-Pending-Messages", _BATCH))
    raise _ConsumerGone


def _stored(message: Msg) -> Stored:
    tokens = message.reply.split(".")
    return Stored(
        nats_subject=message.subject,
        type=header_type(message.headers),
        body=message.data,
        revision=int(tokens[5]),
        stream_time=_EPOCH + timedelta(microseconds=int(tokens[7]) // 1000),
    )
