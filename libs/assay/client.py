"""The client: typed stubs of all services, and the few things that take more than one call."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from assay import credentials, registering, signing, watching
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.approval.v1.resources_pb2 import Approval
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.artifact.v1.resources_pb2 import Manifest
from assay.audit.v1.audit_service_pb2_grpc import AuditServiceStub
from assay.calls import Calls, RetryPolicy
from assay.channels import open_async, open_sync
from assay.endpoints import Endpoints
from assay.event.v1.envelope_pb2 import RecordedEvent
from assay.event.v1.event_service_pb2 import WatchRequest
from assay.event.v1.event_service_pb2_grpc import EventServiceStub
from assay.folder import DataFolder
from assay.lineage.v1.lineage_service_pb2_grpc import LineageServiceStub
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.progress import Listener, ignore
from assay_trust.keys import KeyPair
from assay_trust.record import Meaning

if TYPE_CHECKING:  # the async stubs are types only: one class serves both kinds of channel
    from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceAsyncStub
    from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceAsyncStub
    from assay.audit.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from assay.event.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from assay.lineage.v1.lineage_service_pb2_grpc import LineageServiceAsyncStub
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub


class Client:
    """A client for threads and plain functions.

    Each stub is the generated one: `client.metadata.GetModel(request)` returns the response. Every
    call carries a token, has a deadline, is retried as the same request where that is safe, and
    raises a class of `assay.errors` where it is refused.

    Attributes:
        namespace: Where names without a namespace live.
    """

    def __init__(self, endpoints: Endpoints, calls: Calls, namespace: str = "default") -> None:
        self._calls = calls
        self._endpoints = endpoints
        addresses = (
            endpoints.metadata,
            endpoints.artifact,
            endpoints.lineage,
            endpoints.approval,
            endpoints.audit,
        )
        self._channels = [open_sync(address, calls) for address in addresses]
        metadata, artifact, lineage, approval, audit = self._channels
        self.namespace = namespace
        self.metadata = MetadataServiceStub(metadata)
        self.artifact = ArtifactServiceStub(artifact)
        self.lineage = LineageServiceStub(lineage)
        self.approval = ApprovalServiceStub(approval)
        self.audit = AuditServiceStub(audit)
        self.events = EventServiceStub(audit)

    @classmethod
    def connect(
        cls,
        data: str | Path | None = None,
        *,
        endpoints: Mapping[str, str] | None = None,
        token: str = "",
        as_user: str = "",
        namespace: str = "default",
        retries: RetryPolicy | None = None,
    ) -> Self:
        """Return a client of the stack in a data folder, or of the given endpoints.

        Args:
            data: The data folder; ASSAY_DATA or `./.assay` where it is not given.
            endpoints: Addresses by service, instead of those in the folder.
            token: Bearer token; else ASSAY_TOKEN, a stored login, or the folder's local owner.
            as_user: Login to act as, which takes the secrets of the data folder.
            namespace: Where names without a namespace live.
            retries: How long a call may take and how it is tried again.
        """
        folder = DataFolder.find(data)
        where = Endpoints.of(endpoints) if endpoints else Endpoints.read(folder.path)
        who = credentials.find(folder, token=token, as_user=as_user)
        return cls(where, Calls(who, retries or RetryPolicy()), namespace)

    @property
    def principal(self) -> str:
        """The caller: `principals/UUID`."""
        return credentials.principal(self._calls.credentials())

    @property
    def consistency_token(self) -> str:
        """The newest consistency token that this client has seen."""
        return self._calls.freshness.token

    def saw(self, token: str) -> None:
        """Read at least as fresh as `token`, which another client has seen, from now on."""
        self._calls.freshness.note(token)

    def register(
        self,
        name: str,
        path: str | Path,
        *,
        details: registering.Details = registering.NO_DETAILS,
        listen: Listener = ignore,
    ) -> ModelVersion:
        """Store the files at `path` and register them as the next version of the model `name`."""
        return registering.register(self, name, Path(path), details, listen).model_version

    def resolve(self, reference: str) -> ModelVersion:
        """Return the version that NAME/N, NAME@ALIAS or NAME@STAGE stands for."""
        return registering.resolve(self, reference).model_version

    def pull(
        self,
        reference: str,
        directory: str | Path,
        *,
        force: bool = False,
        listen: Listener = ignore,
    ) -> Manifest:
        """Write the verified files of a version below `directory`."""
        return registering.pull(self, reference, Path(directory), force=force, listen=listen)

    def sign(
        self,
        approval: str,
        pair: KeyPair,
        *,
        meaning: Meaning = Meaning.APPROVED,
        reason: str = "",
        terms: signing.Terms = signing.NO_TERMS,
    ) -> Approval:
        """Sign the approval with the caller's key and return it as it stands then."""
        prepared = signing.prepare(self, approval, pair.public, meaning, reason, terms)
        return signing.sign(self, prepared, pair)

    def watch(self, request: WatchRequest | None = None) -> Iterator[RecordedEvent]:
        """Yield events in order, each once, across lost connections."""
        return watching.watch(self.events, request or WatchRequest(), self._calls.policy)

    def close(self) -> None:
        """Close the connections."""
        for channel in self._channels:
            channel.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()


class AsyncClient:
    """A client for asyncio: the same stubs, awaited, and the same extras.

    Transfers run in a thread, over a sync client that shares identity and freshness.
    """

    metadata: "MetadataServiceAsyncStub"
    artifact: "ArtifactServiceAsyncStub"
    lineage: "LineageServiceAsyncStub"
    approval: "ApprovalServiceAsyncStub"
    audit: "AuditServiceAsyncStub"
    events: "EventServiceAsyncStub"

    def __init__(self, endpoints: Endpoints, calls: Calls, namespace: str = "default") -> None:
        self._calls = calls
        addresses = (
            endpoints.metadata,
            endpoints.artifact,
            endpoints.lineage,
            endpoints.approval,
            endpoints.audit,
        )
        self._channels = [open_async(address, calls) for address in addresses]
        metadata, artifact, lineage, approval, audit = self._channels
        self._beside = Client(endpoints, calls, namespace)
        self.namespace = namespace
        self.metadata = MetadataServiceStub(metadata)
        self.artifact = ArtifactServiceStub(artifact)
        self.lineage = LineageServiceStub(lineage)
        self.approval = ApprovalServiceStub(approval)
        self.audit = AuditServiceStub(audit)
        self.events = EventServiceStub(audit)

    @classmethod
    def connect(
        cls,
        data: str | Path | None = None,
        *,
        endpoints: Mapping[str, str] | None = None,
        token: str = "",
        as_user: str = "",
        namespace: str = "default",
        retries: RetryPolicy | None = None,
    ) -> Self:
        """Return a client; the arguments are those of `Client.connect`."""
        folder = DataFolder.find(data)
        where = Endpoints.of(endpoints) if endpoints else Endpoints.read(folder.path)
        who = credentials.find(folder, token=token, as_user=as_user)
        return cls(where, Calls(who, retries or RetryPolicy()), namespace)

    @property
    def principal(self) -> str:
        """The caller: `principals/UUID`."""
        return self._beside.principal

    @property
    def consistency_token(self) -> str:
        """The newest consistency token that this client has seen."""
        return self._calls.freshness.token

    async def register(
        self,
        name: str,
        path: str | Path,
        *,
        details: registering.Details = registering.NO_DETAILS,
        listen: Listener = ignore,
    ) -> ModelVersion:
        """Store the files at `path` and register them as the next version of the model `name`."""
        return await asyncio.to_thread(
            self._beside.register, name, path, details=details, listen=listen
        )

    async def resolve(self, reference: str) -> ModelVersion:
        """Return the version that NAME/N, NAME@ALIAS or NAME@STAGE stands for."""
        return await asyncio.to_thread(self._beside.resolve, reference)

    async def pull(
        self,
        reference: str,
        directory: str | Path,
        *,
        force: bool = False,
        listen: Listener = ignore,
    ) -> Manifest:
        """Write the verified files of a version below `directory`."""
        return await asyncio.to_thread(
            self._beside.pull, reference, directory, force=force, listen=listen
        )

    async def sign(
        self,
        approval: str,
        pair: KeyPair,
        *,
        meaning: Meaning = Meaning.APPROVED,
        reason: str = "",
        terms: signing.Terms = signing.NO_TERMS,
    ) -> Approval:
        """Sign the approval with the caller's key and return it as it stands then."""
        return await asyncio.to_thread(
            self._beside.sign, approval, pair, meaning=meaning, reason=reason, terms=terms
        )

    def watch(self, request: WatchRequest | None = None) -> AsyncIterator[RecordedEvent]:
        """Yield events in order, each once, across lost connections."""
        return watching.watch_async(self.events, request or WatchRequest(), self._calls.policy)

    async def close(self) -> None:
        """Close the connections."""
        self._beside.close()
        for channel in self._channels:
            await channel.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()
