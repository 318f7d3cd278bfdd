"""The one place that touches nats-py: requests, streamed answers, and what their failures mean."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from assay_events.errors import Unavailable

_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 2.0
_AWAY = "The event store (NATS) does not answer; the request was not carried out. Try again."


@dataclass(frozen=True, slots=True)
class Address:
    """Where the event store is, and as whom to log in."""

    url: str
    user: str
    password: str
    prefix: str = "assay.js."

    @property
    def is_setup(self) -> bool:
        """Whether this is the set-up account, which alone may make the stream."""
        return self.prefix == "$JS.API."


class Connection:
    """A connection that heals itself; a request without an answer raises Unavailable, soon."""

    def __init__(self, client: Client, prefix: str) -> None:
        """Use a connected client; `prefix` leads to the JetStream API of the stream's account."""
        self._client = client
        self._prefix = prefix

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        """Connect once; raise Unavailable where nothing answers."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                client = await nats.connect(
                    address.url,
                    user=address.user,
                    password=address.password,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.2,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    error_cb=_quiet,
                    inbox_prefix=f"_INBOX.{secrets.token_hex(8)}",
                )
        except (OSError, TimeoutError, NatsError) as error:
            raise Unavailable(f"The event store at {address.url} does not answer.") from error
        return cls(client, address.prefix)

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
        if not self._client.is_connected:
            raise Unavailable(_AWAY)
        try:
            return await self._client.request(
                subject, body, timeout=seconds, headers=dict(headers or {}) or None
            )
        except NoRespondersError as error:
            raise Unavailable(_AWAY) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable(_AWAY) from error

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
        try:
            await self._client.publish(
                subject, body, reply=reply, headers=dict(headers or {}) or None
            )
        except (NatsError, OSError) as error:
            raise Unavailable(_AWAY) from error

    @asynccontextmanager
    async def inbox(self) -> AsyncIterator["Inbox"]:
        """Give a place for answers that are many; it is closed at the end."""
        inbox = Inbox(self._client.new_inbox())
        try:
            subscription = await self._client.subscribe(
                inbox.subject, cb=inbox.put, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        except NatsError as error:
            raise Unavailable(_AWAY) from error
        try:
            yield inbox
        finally:
            try:
                await subscription.unsubscribe()
            except NatsError:  # the connection is closed already, and the subscription with it
                inbox.messages.clear()

    async def call(self, inbox: "Inbox", verb: str, body: Mapping[str, Any]) -> None:
        """Send a request to the JetStream API whose answers go to `inbox`."""
        await self.publish(self._prefix + verb, json.dumps(body).encode(), reply=inbox.subject)


class Inbox:
    """Messages that came, in order, until somebody takes them."""

    def __init__(self, subject: str) -> None:
        """Receive on `subject`."""
        self.subject = subject
        self.messages: deque[Msg] = deque()
        self._arrived = asyncio.Event()

    async def put(self, message: Msg) -> None:
        """Take in one message."""
        self.messages.append(message)
        self._arrived.set()

    async def take(self, seconds: float) -> list[Msg]:
        """Return all that has come, waiting for the first at most `seconds`.

        Empty where nothing came.
        """
        if not self.messages:
            self._arrived.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        taken = list(self.messages)
        self.messages.clear()
        return taken


async def _quiet(_: Exception) -> None:
    """Leave errors of the connection to the requests that they hit."""
