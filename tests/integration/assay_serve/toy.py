"""A toy behind the real server: a servicer whose handlers do what a test tells them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from assay.event.v1 import event_service_pb2 as events_api
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay_serve.call import Context
from assay_serve.identity import Identities
from assay_serve.interceptor import Interceptor
from assay_serve.server import Binding, Server
from assay_serve.telemetry import Telemetry
from assay_trust import jwks, keys, tokens
from tests.support import mtls
from tests.support.scribe import DEPLOYMENT

if TYPE_CHECKING:  # the stub of a channel of grpc.aio is there for types only
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

PRINCIPAL = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"


@dataclass
class Trust:
    """An issuer and two services with their keys, as a data folder has them."""

    folder: Path
    issuer: keys.KeyPair = field(default_factory=keys.generate)
    services: dict[str, keys.KeyPair] = field(
        default_factory=lambda: {"metadata": keys.generate(), "approval": keys.generate()}
    )

    @property
    def jwks(self) -> Path:
        return self.folder / "jwks.json"

    def write(self) -> None:
        trusted = {f"services/{name}": pair.public for name, pair in self.services.items()}
        self.jwks.write_bytes(jwks.write_jwks({"assay-local": self.issuer.public, **trusted}))
        for name, pair in self.services.items():
            (self.folder / f"{name}.pem").write_bytes(keys.to_pem(pair.private))

    def user(self, lifetime_seconds: int = 3600, age_seconds: int = 0) -> str:
        now = int(time.time()) - age_seconds
        pem = keys.to_pem(self.issuer.private)
        return tokens.mint_user(
            pem, "assay-local", PRINCIPAL, now, lifetime_seconds=lifetime_seconds
        )

    def service(self, name: str, audience: str) -> str:
        pem = keys.to_pem(self.services[name].private)
        return tokens.mint_service(pem, name, audience, int(time.time()))


Behaviour = Callable[[api.CreateModelRequest, Context], Awaitable[api.CreateModelResponse]]


async def _echo(request: api.CreateModelRequest, _: Context) -> api.CreateModelResponse:
    return api.CreateModelResponse(consistency_token=request.model_id)


Exchange = Callable[[AsyncIterator[api.ImportRequest], Context], AsyncIterator[Message]]


async def _echo_each(
    requests: AsyncIterator[api.ImportRequest], _: Context
) -> AsyncIterator[Message]:
    async for request in requests:
        yield api.ImportResponse(batch=request.batch)


class Toy:
    """Answers CreateModel and GetModel with `behaviour`; other methods are not there."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = _echo
        self.exchange: Exchange = _echo_each

    async def CreateModel(  # noqa: N802 - the name of the rpc
        self, request: api.CreateModelRequest, context: Context
    ) -> api.CreateModelResponse:
        return await self.behaviour(request, context)

    async def GetModel(  # noqa: N802 - the name of the rpc
        self, _: api.GetModelRequest, context: Context
    ) -> api.GetModelResponse:
        await self.behaviour(create(), context)
        return api.GetModelResponse()

    async def Import(  # noqa: N802 - the name of the rpc
        self, requests: AsyncIterator[api.ImportRequest], context: Context
    ) -> AsyncIterator[Message]:
        async for response in self.exchange(requests, context):
            yield response

    async def Watch(  # noqa: N802 - the name of the rpc
        self, request: events_api.WatchRequest, _: Context
    ) -> AsyncIterator[events_api.WatchResponse]:
        for revision in range(3):
            heartbeat = events_api.Heartbeat(revision=request.after_revision + revision)
            yield events_api.WatchResponse(heartbeat=heartbeat)
        if request.until_now:
            raise RuntimeError("a bug")

    def __getattr__(self, name: str) -> Callable[[object, Context], Awaitable[object]]:
        if not name[0].isupper():
            raise AttributeError(name)
        return _unasked


async def _unasked(_request: object, _context: Context) -> object:
    raise NotImplementedError


@dataclass
class Running:
    """A running toy server with a channel to it."""

    toy: Toy
    server: Server
    trust: Trust
    channel: grpc.aio.Channel
    target: str
    internal: str  # where it listens to services

    @property
    def stub(self) -> "MetadataServiceAsyncStub":
        return MetadataServiceStub(self.channel)

    @property
    def as_user(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.trust.user()}"),)


@asynccontextmanager
async def running(folder: Path, telemetry: Telemetry | None = None) -> AsyncIterator[Running]:
    """Run a toy server on a free port."""
    trust = Trust(folder)
    trust.write()
    toy = Toy()
    bindings = (
        Binding("assay.metadata.v1.MetadataService", toy),
        Binding("assay.event.v1.EventService", toy),
    )
    identities = Identities(trust.jwks, "metadata")
    server = Server("127.0.0.1:0", bindings, Interceptor(identities, telemetry, DEPLOYMENT))
    credentials = mtls.server_credentials(folder, "metadata")
    internal = f"127.0.0.1:{server.add_internal_port('127.0.0.1:0', credentials)}"
    await server.start()
    target = f"127.0.0.1:{server.port}"
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            yield Running(toy, server, trust, channel, target, internal)
    finally:
        await server.stop()


def create(**fields: object) -> api.CreateModelRequest:
    """Return a request that is right, but for `fields`."""
    right = {"parent": "namespaces/default", "model_id": "churn", "request_id": str(uuid4())}
    request = api.CreateModelRequest()
    for field_name, value in {**right, **fields}.items():
        setattr(request, field_name, value)
    return request
