"""The one place that touches nats-py: requests, streamed answers, and what their failures mean."""

import asyncio
import itertools
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from assay_events.errors import Unavailable

_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 2.0
_NO_RESPONDERS = "503"
_RECONNECT: Mapping[str, Any] = {
    "allow_reconnect": True,
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": 0.2,
    "ping_interval": 5,
    "max_outstanding_pings": 2,
}
_AWAY = "The event store (NATS) does not answer; the request was not carried out. Try again."


@dataclass(frozen=True, slots=True)
class Address:
    """Where the event store is, and as whom to log in."""

    url: str
    user: str
    password: str
    prefix: str = "assay.js."


class _Client(Client):
    """The client of nats-py, which looks at each character of each header: a third of a reading."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        lines = (line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n"))
        return {name: value.strip() for name, colon, value in lines if colon}


class Connection:
    """A connection that heals itself; a request without an answer raises Unavailable, soon."""

    def __init__(self, client: Client, prefix: str) -> None:
        """Use a client; `prefix` leads to the JetStream API of the stream's account."""
        self._client = client
        self._prefix = prefix
        self._takers: dict[str, Callable[[Msg], object]] = {}
        self._inbox_prefix = f"_INBOX.{secrets.token_hex(8)}"
        self._numbers = itertools.count(1)

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        """Connect once; raise Unavailable where nothing answers."""
        client = _Client()
        connection = cls(client, address.prefix)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await client.connect(
                    address.url,
                    user=address.user,
                    password=address.password,
                    error_cb=_quiet,
                    inbox_prefix=connection._inbox_prefix,
                    **_RECONNECT,
                )
                await connection._listen()
        except (OSError, TimeoutError, NatsError) as error:
            raise Unavailable(f"The event store at {address.url} does not answer.") from error
        return connection

    @property
    def is_connected(self) -> bool:
        """Whether the event store is there at this moment."""
        return self._client.is_connected

    async def close(self) -> None:
        """Close for good."""
        await self._client.close()

    async def request(
        self,
        subject: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        seconds: float = _REQUEST_SECONDS,
    ) -> Msg:
        """Return the one answer to a request."""
        arrived: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        def take(message: Msg) -> None:
            if not arrived.done():
                arrived.set_result(message)

        with self._answers(take) as reply:
            # Not the client's own request: its asyncio.wait_for may swallow a cancellation.
            async with _translated(), asyncio.timeout(seconds):
                await self.publish(subject, body, headers, reply)
                answer = await arrived
        if (answer.headers or {}).get("Status") == _NO_RESPONDERS and not answer.data:
            raise Unavailable(_AWAY)
        return answer

    async def api(
        self, verb: str, body: Mapping[str, Any] | None = None, seconds: float = _REQUEST_SECONDS
    ) -> dict[str, Any]:
        """Return the answer of the JetStream API to `verb`, such as STREAM.INFO.ASSAY."""
        payload = json.dumps(body).encode() if body is not None else b""
        answer = await self.request(self._prefix + verb, payload, seconds=seconds)
        parsed: dict[str, Any] = json.loads(answer.data)
        return parsed

    async def direct_get(self, suffix: str, body: bytes = b"") -> Msg:
        """Return one message of the stream; its Status header is 404 where there is none."""
        return await self.request(f"{self._prefix}DIRECT.GET.{suffix}", body)

    async def publish(
        self, subject: str, body: bytes, headers: Mapping[str, str] | None = None, reply: str = ""
    ) -> None:
        """Send a message without waiting for an answer."""
        if not self._client.is_connected:
            raise Unavailable(_AWAY)
        async with _translated():
            await self._client.publish(
                subject, body, reply=reply, headers=dict(headers or {}) or None
            )

    @contextmanager
    def inbox(self) -> Iterator["Inbox"]:
        """Give a place for answers that are many; what comes after the end is dropped."""
        inbox = Inbox()
        with self._answers(inbox.put) as inbox.subject:
            yield inbox

    @asynccontextmanager
    async def pull_inbox(self, wake: asyncio.Event | None = None) -> AsyncIterator["Inbox"]:
        """Give an inbox with its own subscription: the server ends a pull that nobody hears.

        Setting `wake` ends a wait of its taker.
        """
        inbox = Inbox(wake)
        inbox.subject = f"{self._inbox_prefix}.pull.{next(self._numbers)}"
        async with _translated():
            subscription = await self._client.subscribe(
                inbox.subject, cb=inbox.take_in, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        try:
            yield inbox
        finally:
            with suppress(NatsError):  # the connection is closed, and the subscription with it
                await subscription.unsubscribe()

    @contextmanager
    def _answers(self, take: Callable[[Msg], object]) -> Iterator[str]:
        """Give a subject whose messages go to `take`."""
        subject = f"{self._inbox_prefix}.to.{next(self._numbers)}"
        self._takers[subject] = take
        try:
            yield subject
        finally:
            del self._takers[subject]

    async def _listen(self) -> None:
        """Subscribe to all answers at once: a subscription each would cost as much as a read."""
        await self._client.subscribe(
            f"{self._inbox_prefix}.to.*",
            cb=self._put,
            pending_msgs_limit=-1,
            pending_bytes_limit=-1,
        )

    async def _put(self, message: Msg) -> None:
        take = self._takers.get(message.subject)
        if take is not None:
            take(message)

    async def call(self, inbox: "Inbox", verb: str, body: Mapping[str, Any]) -> None:
        """Send a request to the JetStream API whose answers go to `inbox`."""
        await self.publish(self._prefix + verb, json.dumps(body).encode(), reply=inbox.subject)


class Inbox:
    """Messages that came, in order, until somebody takes them."""

    def __init__(self, wake: asyncio.Event | None = None) -> None:
        """Begin empty; setting `wake` ends a wait as a message would."""
        self.subject = ""
        self.messages: deque[Msg] = deque()
        self._arrived = wake or asyncio.Event()

    async def take_in(self, message: Msg) -> None:
        """Take in one message, as a subscription calls for it."""
        self.put(message)

    def put(self, message: Msg) -> None:
        """Take in one message."""
        self.messages.append(message)
        self._arrived.set()

    async def take(self, seconds: float) -> list[Msg]:
        """Return all that has come, waiting for the first at most `seconds`.

        Empty where nothing came.
        """
        if not self.messages:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
        self._arrived.clear()
        taken = list(self.messages)
        self.messages.clear()
        return taken


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Turn what the client raises into Unavailable."""
    try:
        yield
    except (NatsError, OSError, TimeoutError) as error:
        raise Unavailable(_AWAY) from error


async def _quiet(_: Exception) -> None:
    """Leave errors of the connection to the requests that they hit."""
