"""The metadata service as a process, on real NATS and Postgres, with a client's few words."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Alias, ModelVersion, Stage
from assay.names import ModelName
from assay_serve.embedded import identity, nats, ports, postgres
from assay_trust import tokens
from tests.integration.metadata import neighbours
from tests.integration.metadata.neighbours import Neighbours
from tests.support import mtls
from tests.support.roles import appoint
from tests.support.scribe import DEPLOYMENT, OWNER, writing

ANN = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
BEN = "8e1a6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
DIGEST = "sha256:" + sha256(b"a manifest").hexdigest()
_CHANNELS = 8


class _Bearer(grpc.UnaryUnaryClientInterceptor):
    """Adds a person's token to each call."""

    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        details = client_call_details._replace(metadata=self._metadata)
        return continuation(details, request)


@dataclass
class Registry:
    """A running service, and what lies around it."""

    folder: Path
    bus: nats.Bus
    database: postgres.Database
    environ: dict[str, str]
    neighbours: Neighbours
    channels: list[grpc.Channel] = field(default_factory=list)
    token: str = ""  # of the last write by one of the helpers below

    def stub(self, principal: str = ANN, channel: int = 0) -> MetadataServiceStub:
        """Return the service as a person calls it."""
        pem = (self.folder / "identity" / "issuer.pem").read_bytes()
        token = tokens.mint_user(pem, "assay-local", principal, int(time.time()))
        return MetadataServiceStub(grpc.intercept_channel(self.channels[channel], _Bearer(token)))

    def run(self, verb: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the operator's verbs."""
        command = [sys.executable, "-m", "assay_metadata.main", verb]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )

    def model(self, model_id: str = "", namespace: str = "default") -> str:
        """Create a model and return its name."""
        request = api.CreateModelRequest(
            parent=f"namespaces/{namespace}", model_id=model_id or f"m-{uuid4()}"
        )
        answer = self.stub().CreateModel(request)
        self.token = answer.consistency_token
        return answer.model.name

    def version(self, model: str, given: ModelVersion | None = None) -> ModelVersion:
        """Register a version of a committed manifest."""
        self.neighbours.commit(ModelName.parse(model).namespace, DIGEST)
        version = ModelVersion()
        version.CopyFrom(given or ModelVersion())
        version.manifest_digest = version.manifest_digest or DIGEST
        request = api.RegisterModelVersionRequest(parent=model, model_version=version)
        answer = self.stub().RegisterModelVersion(request)
        self.token = answer.consistency_token
        return answer.model_version

    def alias(self, model: str, label: str, number: int) -> Alias:
        """Point an alias at a version."""
        request = api.SetAliasRequest(
            name=f"{model}/aliases/{label}", version=f"{model}/versions/{number}"
        )
        answer = self.stub().SetAlias(request)
        self.token = answer.consistency_token
        return answer.alias

    def stage(self, model: str, label: str, number: int) -> Stage:
        """Move a version into a stage."""
        request = api.SetStageRequest(
            name=f"{model}/stages/{label}", version=f"{model}/versions/{number}"
        )
        answer = self.stub().SetStage(request)
        self.token = answer.consistency_token
        return answer.stage


@dataclass
class Refused:
    """What a refused call was told."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@contextmanager
def refused(reason: str) -> Iterator[Refused]:
    """Assert that the call in the block is refused for `reason`."""
    told = Refused()
    with pytest.raises(grpc.RpcError) as caught:
        yield told
    call: Any = caught.value
    status = rpc_status.from_call(call)
    assert status is not None, call
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == reason, status
    told.code, told.message = call.code(), status.message
    told.metadata = dict(info.metadata)


def revision(etag: str) -> int:
    """Return the revision in an etag."""
    return int(etag.strip('"'))


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until `is_so()`; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.05)


@contextmanager
def running(folder: Path) -> Iterator[Registry]:
    """Run everything, with the service healthy."""
    identity_folder = folder / "identity"
    identity_folder.mkdir()
    identity.make(identity_folder)
    with (
        nats.running(folder / "nats") as bus,
        postgres.running(folder / "postgres") as database,
        neighbours.serving(bus, identity_folder) as known,
    ):
        asyncio.run(_found(bus))
        environ = _environ(identity_folder, bus, database, known)
        registry = Registry(folder, bus, database, environ, known)
        with _serving(registry):
            yield registry


def _environ(
    folder: Path, bus: nats.Bus, database: postgres.Database, known: Neighbours
) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ASSAY_SERVICE": "metadata",
        "ASSAY_LISTEN": f"127.0.0.1:{ports.free(set())}",
        "ASSAY_NATS_URL": bus.url,
        "ASSAY_NATS_USER": "metadata",
        "ASSAY_NATS_PASSWORD": bus.passwords["metadata"],
        "ASSAY_POSTGRES_URL": database.url("metadata"),
        "ASSAY_DEPLOYMENT": DEPLOYMENT,
        "ASSAY_OWNER": OWNER,
        "ASSAY_JWKS": str(folder / identity.TRUSTED),
        "ASSAY_SERVICE_KEY": str(identity.service_key(folder, "metadata")),
        "ASSAY_PEERS": json.dumps(known.addresses),
        **mtls.environ(folder, "metadata"),
    }


async def _found(bus: nats.Bus) -> None:
    async with writing(bus) as scribe:
        for principal in (ANN, BEN):
            await appoint(scribe, principal)


@contextmanager
def _serving(registry: Registry) -> Iterator[None]:
    command = [sys.executable, "-m", "assay_metadata.main", "serve"]
    with (registry.folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, env=registry.environ, stdout=log, stderr=log)
    options = (("grpc.use_local_subchannel_pool", 1),)  # else all channels share one connection
    target = registry.environ["ASSAY_LISTEN"]
    registry.channels = [grpc.insecure_channel(target, options) for _ in range(_CHANNELS)]
    try:
        eventually(lambda: _is_healthy(registry.channels[0]), 30)
        yield
    finally:
        for channel in registry.channels:
            channel.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        finally:
            process.kill()


def _is_healthy(channel: grpc.Channel) -> bool:
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
