"""Reads the whole stream in order through an ephemeral pull consumer.

Knows no position but the caller's.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from nats.aio.msg import Msg

from assay_events.connection import Connection, Inbox
from assay_events.envelope import Stored, header_type
from assay_events.errors import StreamCorrupt, Unavailable

_STREAM = "ASSAY"
_BATCH = 1000
_SECOND = 1_000_000_000
_PULL_SECONDS = 20
_IDLE_SECONDS = 1.0
_SILENT_SECONDS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _ConsumerGone(Exception):
    """The consumer does not answer any more."""


class Reader:
    """One reading of the stream. A lost consumer or connection is made again where it stopped."""

    def __init__(self, connection: Connection, last_revision: Callable[[], Awaitable[int]]) -> None:
        """Read over `connection`; `last_revision` asks the stream how far it goes."""
        self._connection = connection
        self._last_revision = last_revision
        self._position = 0

    async def read(self, after: int, *, follow: bool) -> AsyncIterator[Sequence[Stored]]:
        """Yield all messages after a revision in order, in batches.

        An empty batch says that nothing came.
        """
        self._position = after
        end = await self._last_revision()
        if end < after:
            raise StreamCorrupt(
                f"The stream ends at revision {end}, but {after} was read before: "
                "history is missing.",
                end,
            )
        while follow or self._position < end:
            try:
                async for batch in self._read_one_consumer(end=0 if follow else end):
                    yield batch
            except _ConsumerGone:
                continue

    async def _read_one_consumer(self, end: int) -> AsyncIterator[Sequence[Stored]]:
        """Yield batches until `end` is reached, for ever when `end` is 0."""
        name = await self._make_consumer()
        asked, silent = 0, 0.0
        async with self._connection.pull_inbox() as inbox:
            while not end or self._position < end:
                if asked <= 0:
                    await self._pull(inbox, name)
                    asked += _BATCH
                messages = await inbox.take(_IDLE_SECONDS)
                batch = self._in_order(messages)
                silent = 0.0 if messages else silent + _IDLE_SECONDS
                if not batch:
                    await self._check_not_starved(silent)
                yield batch  # before anything else: what was read counts as read
                asked -= len(batch) + sum(_unfilled(message) for message in messages)
                if silent >= _SILENT_SECONDS:
                    raise _ConsumerGone

    async def _make_consumer(self) -> str:
        # The name space of consumers is shared by all accounts: a name that can be guessed can be
        # hijacked.
        name = secrets.token_hex(16)
        config = {
            "name": name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._position + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": True,
            "inactive_threshold": 30 * _SECOND,
        }
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
            if stored.revision != self._position + 1:
                raise StreamCorrupt(
                    f"The stream goes from revision {self._position} to "
                    f"{stored.revision}: events are missing.",
                    self._position + 1,
                )
            self._position = stored.revision
            batch.append(stored)
        return batch

    async def _check_not_starved(self, silent: float) -> None:
        """Notice a consumer that delivers nothing although the stream has more."""
        if silent and int(silent) % 5 == 0 and await self._last_revision() > self._position:
            raise _ConsumerGone


def _is_event(message: Msg) -> bool:
    return message.reply.startswith("$JS.ACK.")


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
