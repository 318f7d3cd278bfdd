"""Real NATS and Postgres, and the small service as a process between them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from assay_serve.embedded import nats, ports, postgres
from tests.integration.assay_serve.toy import PRINCIPAL, Trust
from tests.support import mtls

MODULE = "tests.integration.assay_serve.small_service"


@dataclass
class Stack:
    """What the service stands on; `environ` is what it is told."""

    bus: nats.Bus
    database: postgres.Database
    trust: Trust
    environ: Mapping[str, str]

    @property
    def target(self) -> str:
        return self.environ["ASSAY_LISTEN"]

    @property
    def as_user(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.trust.user()}"),)

    def run(self, verb: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", MODULE, verb]
        return subprocess.run(
            command, env=dict(self.environ), capture_output=True, text=True, check=False, timeout=60
        )

    @contextmanager
    def serving(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the service; end it, kindly at first."""
        command = [sys.executable, "-m", MODULE, "serve"]
        log = (self.trust.folder / "service.log").open("ab")
        process = subprocess.Popen(command, env=dict(self.environ), stderr=log, stdout=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            finally:
                process.kill()
                log.close()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        options = (
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 200),
        )
        async with grpc.aio.insecure_channel(self.target, options=options) as channel:
            yield channel


async def wait_until(channel: grpc.aio.Channel, status: int, seconds: float = 20.0) -> None:
    """Wait until the service says `status` of itself."""
    stub = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(seconds):
        while True:
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
                if answer.status == status:
                    return
            except grpc.aio.AioRpcError:
                pass
            await asyncio.sleep(0.05)


@contextmanager
def standing(folder: Path, *, is_founded: bool = True) -> Iterator[Stack]:
    """Run NATS and Postgres, with the stream made unless told otherwise."""
    (folder / "identity").mkdir()
    trust = Trust(folder / "identity")
    trust.write()
    with nats.running(folder) as bus, postgres.running(folder) as database:
        deployment, owner = str(uuid4()), PRINCIPAL
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path.cwd()),
            "ASSAY_SERVICE": "metadata",
            "ASSAY_LISTEN": f"127.0.0.1:{ports.free(set())}",
            "ASSAY_NATS_URL": bus.url,
            "ASSAY_NATS_USER": "metadata",
            "ASSAY_NATS_PASSWORD": bus.passwords["metadata"],
            "ASSAY_POSTGRES_URL": database.url("metadata"),
            "ASSAY_DEPLOYMENT": deployment,
            "ASSAY_OWNER": owner,
            "ASSAY_JWKS": str(trust.jwks),
            "ASSAY_SERVICE_KEY": str(trust.folder / "metadata.pem"),
            **mtls.environ(trust.folder, "metadata", deployment),
        }
        stack = Stack(bus, database, trust, environ)
        if is_founded:
            found(stack)
        yield stack


def found(stack: Stack) -> None:
    """Make the stream and its first event."""
    environ = {
        **stack.environ,
        "ASSAY_NATS_USER": "setup",
        "ASSAY_NATS_PASSWORD": stack.bus.passwords["setup"],
    }
    command = [sys.executable, "-m", "assay_events.setup"]
    subprocess.run(command, env=environ, check=True, timeout=30)
