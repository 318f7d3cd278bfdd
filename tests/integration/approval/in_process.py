"""The handlers of approval in this process, on any store and read model, without a server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay.names import ModelName, VersionName
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_approval.ports import Origin
from assay_approval.service.approval import ApprovalService
from assay_events.commands import Commands
from assay_events.errors import Unavailable
from assay_events.position import Position
from assay_events.store import EventStore
from assay_serve.call import Call
from assay_serve.postgres import Pool, Reads
from assay_serve.rights import Rights
from assay_serve.settings import Settings, TlsFiles
from tests.support.scribe import DEPLOYMENT, OWNER

_NONE = Path()


class Nobody:
    """Other services that are away."""

    async def version(self, name: VersionName, at_least_as_fresh: str) -> ModelVersion:
        raise Unavailable(f"{name} {at_least_as_fresh}")

    async def model(self, name: ModelName, at_least_as_fresh: str) -> Model:
        raise Unavailable(f"{name} {at_least_as_fresh}")

    async def origin(self, version: ModelVersion, at_least_as_fresh: str) -> Origin:
        raise Unavailable(f"{version.name} {at_least_as_fresh}")


@asynccontextmanager
async def serving(store: EventStore, pool: Pool) -> AsyncIterator[ApprovalService]:
    """Give the handlers on a store, and on a read model that is level with it."""
    position = Position()
    position.advance(await store.last_revision())
    rights = Rights(store, DEPLOYMENT, f"principals/{OWNER}")
    service = ApprovalService(
        commands=Commands(store, context="approval", deployment=DEPLOYMENT),
        store=store,
        reads=Reads(pool, position, store),
        surroundings=Nobody(),
        rights=rights,
        settings=_settings(),
    )
    following = asyncio.create_task(rights.run())
    try:
        yield service
    finally:
        following.cancel()
        pool.terminate()


def call(principal: str = f"principals/{OWNER}") -> Call:
    """Return the call of a person."""
    actor = Actor(principal=principal, kind=ActorKind.ACTOR_KIND_HUMAN)
    return Call("/assay.approval.v1.ApprovalService/Test", actor, time.monotonic() + 30)


def _settings() -> Settings:
    return Settings(
        service="approval",
        listen="",
        internal_listen="",
        nats_url="",
        nats_user="",
        nats_password="",
        postgres_url="",
        postgres_owner_url="",
        deployment=DEPLOYMENT,
        owner=OWNER,
        jwks=_NONE,
        service_key=_NONE,
        tls=TlsFiles(_NONE, _NONE, _NONE),
    )
