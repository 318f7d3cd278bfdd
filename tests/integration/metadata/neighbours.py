"""Small real servers in the place of the artifact and the approval service."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from google.protobuf.message import Message

from assay.approval.v1.approval_service_pb2 import CheckGrantRequest, CheckGrantResponse
from assay.artifact.v1.artifact_service_pb2 import GetManifestRequest, GetManifestResponse
from assay.artifact.v1.events_pb2 import ManifestCommitted
from assay.artifact.v1.resources_pb2 import File, Manifest
from assay_events.connection import Address, Connection
from assay_events.jetstream import JetStream
from assay_serve.embedded import nats
from tests.support import mtls
from tests.support.scribe import ANN, Scribe


@dataclass
class Neighbours:
    """What the two services know; a test says it."""

    bus: nats.Bus
    manifests: dict[str, Manifest] = field(default_factory=dict)
    governed: set[str] = field(default_factory=set)
    grants: dict[tuple[str, str, str], str] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)

    def commit(self, namespace: str, digest: str) -> None:
        """Have a manifest of two files committed; only one of them is its own."""
        name = f"namespaces/{namespace}/artifacts/{digest.replace(':', '-')}"
        if name in self.manifests:
            return
        event = ManifestCommitted(name=name, manifest_digest=digest, size_bytes=12, file_count=2)
        self.write(event)
        files = [File(path="same.txt", digest="sha256:same"), File(path="own.txt", digest=digest)]
        self.manifests[name] = Manifest(
            name=name, manifest_digest=digest, size_bytes=12, file_count=2, files=files
        )

    def write(self, event: Message, **fields: str) -> None:
        """Write an event as the artifact service, valid but for `fields` of its envelope."""
        with ThreadPoolExecutor(1) as pool:  # a test may run in a loop of its own
            pool.submit(asyncio.run, self._write(event, fields)).result()

    async def _write(self, event: Message, fields: dict[str, str]) -> None:
        address = Address(self.bus.url, "artifact", self.bus.passwords["artifact"])
        connection = await Connection.open(address)
        await Scribe({"artifact": JetStream(connection)}).write(event, ANN, "", **fields)
        await connection.close()

    def grant(self, target: str, version: str, digest: str, approval: str) -> None:
        """Have a live grant."""
        self.grants[target, version, digest] = approval

    def get_manifest(
        self, request: GetManifestRequest, context: grpc.ServicerContext
    ) -> GetManifestResponse:
        """Answer for the artifact service."""
        self._answer_or_not("artifact", context)
        if request.name not in self.manifests:
            context.abort(grpc.StatusCode.NOT_FOUND, "not committed")
        manifest = Manifest()
        manifest.CopyFrom(self.manifests[request.name])
        if request.without_files:
            manifest.ClearField("files")
        return GetManifestResponse(manifest=manifest)

    def check_grant(
        self, request: CheckGrantRequest, context: grpc.ServicerContext
    ) -> CheckGrantResponse:
        """Answer for the approval service."""
        self._answer_or_not("approval", context)
        asked = (request.target, request.version, request.manifest_digest)
        grant = self.grants.get(asked, "")
        return CheckGrantResponse(
            is_governed=request.target in self.governed,
            approval=grant if request.approval in {"", grant} else "",
        )

    def _answer_or_not(self, service: str, context: grpc.ServicerContext) -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        assert metadata["authorization"].startswith("Bearer ")
        if service in self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")


@contextmanager
def serving(bus: nats.Bus, identities: Path) -> Iterator[Neighbours]:
    """Run both, each on a port of its own with its certificate; their events go to `bus`."""
    known = Neighbours(bus)
    server = grpc.server(ThreadPoolExecutor(8))
    handlers = [
        _handler("artifact", "GetManifest", known.get_manifest, GetManifestRequest),
        _handler("approval", "CheckGrant", known.check_grant, CheckGrantRequest),
    ]
    server.add_generic_rpc_handlers(handlers)
    for service in ("artifact", "approval"):
        credentials = mtls.server_credentials(identities, service)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        known.addresses[service] = f"127.0.0.1:{port}"
    server.start()
    try:
        yield known
    finally:
        server.stop(None)


def _handler(
    context: str, method: str, answer: Callable[..., Message], request: type[Message]
) -> grpc.GenericRpcHandler:
    handler: grpc.RpcMethodHandler[Message, Message] = grpc.unary_unary_rpc_method_handler(
        answer, request.FromString, lambda response: response.SerializeToString()
    )
    service = f"assay.{context}.v1.{context.capitalize()}Service"
    return grpc.method_handlers_generic_handler(service, {method: handler})
