"""The event store on NATS JetStream: every append carries the revision that it expects to follow.

The message id of JetStream is not used. The expectation is checked before it and already makes a
retry harmless, while an id that another account can guess could be burnt to make a publish vanish
(docs/adr/0004).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from nats.aio.msg import Msg

from assay_events.connection import Connection, Inbox
from assay_events.envelope import TYPE_HEADER, NewMessage, Stored, header_type, subjects_of
from assay_events.errors import LostRace, StreamCorrupt, Unavailable
from assay_events.reader import Reader

STREAM = "ASSAY"
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE = 10071
_BATCH = 500
_ANSWER_SECONDS = 5.0
_COMMIT_SECONDS = 2.0
_STAGE_SECONDS = 0.01  # the server stages the messages of a batch one by one, on a busy disk too
_MISSING = "404"
_END_OF_BATCH = "204"


class JetStream:
    """The stream ASSAY over one connection."""

    def __init__(self, connection: Connection) -> None:
        """Use `connection`, whose account may publish some subjects and read all."""
        self._connection = connection
        self.fault: StreamCorrupt | None = None

    async def append(self, nats_subject: str, messages: Sequence[NewMessage], expected: int) -> int:
        """Append all of `messages` or none; return the revision of the last, fsynced."""
        if self.fault is not None:
            raise self.fault
        try:
            return await self._publish(nats_subject, messages, expected)
        except (LostRace, Unavailable) as failure:
            landed = await self._landed(nats_subject, messages, expected)
            if landed:
                return landed
            raise failure from None

    async def last(self, nats_subject: str) -> Stored | None:
        """Return the newest message of a subject."""
        answer = await self._connection.direct_get(f"{STREAM}.{nats_subject}")
        return None if _status(answer) == _MISSING else _stored(answer)

    async def read_subject(self, nats_subject: str, after: int = 0) -> Sequence[Stored]:
        """Return the messages of a subject after a revision: one request for up to a batch."""
        found: list[Stored] = []
        pending = 1
        with self._connection.inbox() as inbox:
            while pending:
                start = found[-1].revision if found else after
                request = {"seq": start + 1, "next_by_subj": nats_subject, "batch": _BATCH}
                await self._connection.call(inbox, f"DIRECT.GET.{STREAM}", request)
                stored, pending = await _take_batch(inbox)
                found += stored
        return found

    async def read_one(self, nats_subject: str, revision: int) -> Stored | None:
        """Return the first message of a subject from a revision on."""
        request = {"seq": revision, "next_by_subj": nats_subject}
        answer = await self._connection.direct_get(STREAM, json.dumps(request).encode())
        return None if _status(answer) == _MISSING else _stored(answer)

    async def last_revision(self) -> int:
        """Return the revision of the stream's newest message."""
        answer = await self._connection.api(f"STREAM.INFO.{STREAM}")
        if "error" in answer:
            raise Unavailable(f"The stream does not answer: {answer['error'].get('description')}.")
        return int(answer["state"]["last_seq"])

    async def next_revision(self, after: int, contexts: frozenset[str]) -> int:
        """Return the revision of the next message of some contexts after a revision, 0 for none."""
        found = [await self._next_of(after, context) for context in sorted(contexts)]
        return min(filter(None, found), default=0)

    def read(
        self,
        after: int,
        *,
        follow: bool,
        contexts: frozenset[str] | None = None,
        wake: asyncio.Event | None = None,
    ) -> AsyncIterator[Sequence[Stored]]:
        """Yield the messages after a revision in order, in batches, as the store promises."""
        reader = Reader(self._connection, self, contexts, wake)
        return reader.read(after, follow=follow)

    async def _next_of(self, after: int, context: str) -> int:
        request = {"seq": after + 1, "next_by_subj": subjects_of(context)}
        answer = await self._connection.direct_get(STREAM, json.dumps(request).encode())
        return 0 if _status(answer) == _MISSING else _stored(answer).revision

    async def _publish(
        self, nats_subject: str, messages: Sequence[NewMessage], expected: int
    ) -> int:
        batch_id = uuid4().hex
        for number, message in enumerate(messages[:-1], 1):
            headers = _headers(message, expected if number == 1 else None)
            await self._connection.publish(
                nats_subject, message.body, headers | _batch_headers(batch_id, number)
            )
        headers = _headers(messages[-1], expected if len(messages) == 1 else None)
        if len(messages) > 1:
            headers |= _batch_headers(batch_id, len(messages)) | {"Nats-Batch-Commit": "1"}
        seconds = _COMMIT_SECONDS + len(messages) * _STAGE_SECONDS
        answer = await self._connection.request(nats_subject, messages[-1].body, headers, seconds)
        return _acknowledged(json.loads(answer.data))

    async def _landed(
        self, nats_subject: str, messages: Sequence[NewMessage], expected: int
    ) -> int:
        """Return the revision of the last of `messages` if they lie on the stream already, else 0.

        So an append whose answer was lost is recognised.
        """
        stored = await self.read_subject(nats_subject, expected)
        own = stored[: len(messages)]
        return (
            own[-1].revision if own and [s.body for s in own] == [m.body for m in messages] else 0
        )


async def _take_batch(inbox: Inbox) -> tuple[list[Stored], int]:
    """Return what a batched get answers, and how many messages come after it.

    Each answer names the one before, so that one lost on the way is noticed.
    """
    found: list[Stored] = []
    last = "0"
    while True:
        answers = await inbox.take(_ANSWER_SECONDS)
        if not answers:
            raise Unavailable("The event store did not answer in time. Try again.")
        for answer in answers:
            headers = answer.headers or {}
            status = headers.get("Status", "") if "Nats-Sequence" not in headers else ""
            if status == _MISSING:
                return found, 0
            if status not in {"", _END_OF_BATCH} or headers.get("Nats-Last-Sequence") != last:
                raise Unavailable(f"The event store did not give the messages: {headers}.")
            if status:
                return found, int(headers.get("Nats-Num-Pending", "0"))
            last = headers["Nats-Sequence"]
            found.append(_stored(answer))


def _headers(message: NewMessage, expected: int | None) -> dict[str, str]:
    headers = {TYPE_HEADER: message.type}
    if expected is not None:
        headers[_EXPECTED] = str(expected)
    return headers


def _batch_headers(batch_id: str, number: int) -> dict[str, str]:
    return {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}


def _acknowledged(answer: Mapping[str, object]) -> int:
    error = answer.get("error")
    if isinstance(error, dict):
        if error.get("err_code") == _WRONG_LAST_SEQUENCE:
            raise LostRace(int(str(error.get("description", "0")).rsplit(" ", 1)[-1]))
        raise Unavailable(f"The event store refused the event: {error.get('description')}.")
    return int(str(answer["seq"]))


def _status(message: Msg) -> str:
    """Return what a direct get answers instead of a message, empty for a message."""
    headers = message.headers or {}
    return "" if "Nats-Sequence" in headers else headers.get("Status", "")


def _stored(message: Msg) -> Stored:
    """Return the message that a direct get answered."""
    headers = message.headers or {}
    if "Nats-Sequence" not in headers:
        raise Unavailable(f"The event store did not give the message: {headers}.")
    return Stored(
        nats_subject=headers["Nats-Subject"],
        type=header_type(headers),
        body=message.data,
        revision=int(headers["Nats-Sequence"]),
        stream_time=_time(headers["Nats-Time-Stamp"]),
    )


def _time(text: str) -> datetime:
    """Return an RFC 3339 time with up to nine decimals, cut to microseconds."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    return whole.replace(microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0)
