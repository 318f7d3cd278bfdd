"""What lies outside: the metadata service, which knows what namespaces and versions there are."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import grpc

from assay.metadata.v1.metadata_service_pb2 import GetModelVersionRequest, GetNamespaceRequest
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.names import NamespaceName, VersionName
from assay_events import token
from assay_events.decider import NotFound
from assay_events.store import EventStore
from assay_serve.peers import PeerChannels

if TYPE_CHECKING:  # the stub of a channel of grpc.aio is there for types only
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

_CALLS_AT_ONCE = 16


class Registry(Protocol):
    """Says whether namespaces and versions are there, fresh."""

    async def check(self, namespace: NamespaceName, versions: Iterable[VersionName]) -> None:
        """Return if all of them are there; raise NotFound naming the first that is not."""
        ...


class MetadataRegistry:
    """Asks the metadata service, and has it read no older than the stream is at this moment."""

    def __init__(self, peers: PeerChannels, store: EventStore) -> None:
        """Ask the peer `metadata`; `store` tells how far the stream is."""
        self._peers = peers
        self._store = store
        self._slots = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def check(self, namespace: NamespaceName, versions: Iterable[VersionName]) -> None:
        """Return if all of them are there; raise NotFound naming one that is not."""
        fresh = token.encode(await self._store.last_revision())
        stub = MetadataServiceStub(self._peers.channel("metadata"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._check_namespace(stub, str(namespace), fresh))
            for version in sorted(set(versions)):
                tasks.create_task(self._check_version(stub, str(version), fresh))

    async def _check_namespace(
        self, stub: "MetadataServiceAsyncStub", name: str, fresh: str
    ) -> None:
        request = GetNamespaceRequest(name=name, at_least_as_fresh=fresh)
        try:
            await stub.GetNamespace(request)
        except grpc.aio.AioRpcError as error:
            raise _translated(error, name, "Create the namespace first.") from error

    async def _check_version(self, stub: "MetadataServiceAsyncStub", name: str, fresh: str) -> None:
        request = GetModelVersionRequest(name=name, at_least_as_fresh=fresh)
        async with self._slots:
            try:
                await stub.GetModelVersion(request)
            except grpc.aio.AioRpcError as error:
                raise _translated(error, name, "Register the version first.") from error


def _translated(error: grpc.aio.AioRpcError, name: str, hint: str) -> Exception:
    return NotFound(name, hint) if error.code() is grpc.StatusCode.NOT_FOUND else error
