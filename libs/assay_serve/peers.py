"""Calls to the other services: as this service, for the caller at hand, and soon answered."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import grpc

from assay_events.errors import Unavailable
from assay_serve import spiffe, tls
from assay_serve.call import current
from assay_trust import tokens

DEADLINE_SECONDS = 2.0
_LIFETIME_SECONDS = 300
_FRESH_SECONDS = 240
_CACHED_TOKENS = 1000
_RETIRE_SECONDS = 60.0  # longer than a call may last

Request = TypeVar("Request")
Response = TypeVar("Response")


class PeerChannels:
    """One channel a peer to its internal port, opened when it is first asked for."""

    def __init__(
        self,
        service: str,
        deployment: str,
        key: Path,
        certificate: tls.Certificate,
        peers: Mapping[str, str],
    ) -> None:
        self._deployment = deployment
        self._minter = _Minter(service, key)
        self._certificate = certificate
        self._peers = peers
        self._pair = certificate.pair()
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._retired = set[asyncio.Task[None]]()

    def channel(self, peer: str) -> grpc.aio.Channel:
        """Return the channel to the service `peer`; ask at each call, for certificates change."""
        pair = self._certificate.pair()
        if pair is not self._pair:
            self._retire()
            self._pair = pair
        if peer not in self._channels:
            self._channels[peer] = self._open(peer)
        return self._channels[peer]

    async def close(self) -> None:
        """Close all channels."""
        for task in self._retired:
            task.cancel()
        for channel in self._channels.values():
            await channel.close()

    def _open(self, peer: str) -> grpc.aio.Channel:
        if peer not in self._peers:
            raise Unavailable(f"Name the address of the service {peer} in ASSAY_PEERS.")
        # gRPC compares the host with the peer's certificate: no other service can answer.
        options = [("grpc.default_authority", spiffe.host(self._deployment, peer))]
        return grpc.aio.secure_channel(
            self._peers[peer],
            tls.channel_credentials(self._pair),
            options=options,
            interceptors=[_Caller(peer, self._minter.token)],
        )

    def _retire(self) -> None:
        """Let the calls on the channels of an old certificate end, then close these."""
        for channel in self._channels.values():
            task = asyncio.create_task(_close_later(channel))
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)
        self._channels = {}


async def _close_later(channel: grpc.aio.Channel) -> None:
    try:
        await asyncio.sleep(_RETIRE_SECONDS)
    finally:
        await channel.close()


class _Minter:
    """Signs service tokens; one is used again for the same peer and principal while it is fresh."""

    def __init__(self, service: str, key: Path) -> None:
        self._service = service
        self._key = key.read_bytes()
        self._tokens: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def token(self, peer: str, on_behalf_of: str) -> str:
        now = time.time()
        known, fresh_until = self._tokens.get((peer, on_behalf_of), ("", 0.0))
        if now < fresh_until:
            return known
        minted = tokens.mint_service(
            self._key,
            self._service,
            peer,
            int(now),
            lifetime_seconds=_LIFETIME_SECONDS,
            on_behalf_of=on_behalf_of,
        )
        self._tokens[peer, on_behalf_of] = minted, now + _FRESH_SECONDS
        self._tokens.move_to_end((peer, on_behalf_of))
        if len(self._tokens) > _CACHED_TOKENS:
            self._tokens.popitem(last=False)
        return minted


class _Caller(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds to each call the token, the trace and a deadline."""

    def __init__(self, peer: str, token: Callable[[str, str], str]) -> None:
        self._peer = peer
        self._token = token

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, Request],
            "Awaitable[grpc.aio.UnaryUnaryCall[Request, Response]]",
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Request,
    ) -> "Response | grpc.aio.UnaryUnaryCall[Request, Response]":
        details = client_call_details
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *self._metadata())
        return await continuation(
            grpc.aio.ClientCallDetails(
                details.method,
                _deadline(details.timeout),
                metadata,
                details.credentials,
                details.wait_for_ready,
            ),
            request,
        )

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        call = current.get()
        principal = call.actor.principal if call is not None else ""
        person = principal if principal.startswith("principals/") else ""
        if call is not None and not person:
            person = call.actor.on_behalf_of
        found = [("authorization", f"Bearer {self._token(self._peer, person)}")]
        if call is not None and call.traceparent:
            found.append(("traceparent", call.traceparent))
        return tuple(found)


def _deadline(asked: float | None) -> float:
    """Return the seconds for a call to a peer: no longer than the caller's own call lasts."""
    call = current.get()
    left = DEADLINE_SECONDS if call is None else max(call.deadline - time.monotonic(), 0.001)
    return min(asked or DEADLINE_SECONDS, left)
