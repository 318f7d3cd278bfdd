"""One service of Assay as a process of its own, on servers that a test has started."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from assay_serve.embedded import identity, nats, ports, postgres
from assay_serve.embedded.processes import Program, Running, start
from assay_trust import tokens
from tests.support import mtls
from tests.support.scribe import DEPLOYMENT, OWNER

_PREPARE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Service:
    """A service with its environment; `folder` holds the keys of all of them."""

    name: str
    folder: Path
    environ: Mapping[str, str]
    running: Running

    @property
    def target(self) -> str:
        """Where it listens."""
        return self.environ["ASSAY_LISTEN"]

    @property
    def internal(self) -> str:
        """Where it listens to other services."""
        return self.environ["ASSAY_INTERNAL_LISTEN"]

    def channel(self) -> grpc.aio.Channel:
        """Return a channel to it that no other test shares."""
        options = (("grpc.use_local_subchannel_pool", 1),)
        return grpc.aio.insecure_channel(self.target, options=options)

    def prepare(self) -> None:
        """Make its tables as their owner."""
        assert self.run("prepare") == 0, self.running.program.log.read_text()

    def run(self, verb: str) -> int:
        """Run one of the operator's verbs; return the exit code."""
        return start(_program(self.name, verb, self.folder, self.environ)).wait(_PREPARE_SECONDS)


def service(
    name: str,
    folder: Path,
    bus: nats.Bus,
    database: postgres.Database,
    peers: Mapping[str, str] | None = None,
) -> Service:
    """Return a service that is not started yet; the first one makes the identities in `folder`."""
    if not (folder / identity.TRUSTED).exists():
        folder.mkdir(exist_ok=True)
        identity.make(folder)
    port = ports.free(set())
    environ = {
        "ASSAY_SERVICE": name,
        "ASSAY_LISTEN": f"127.0.0.1:{port}",
        "ASSAY_NATS_URL": bus.url,
        "ASSAY_NATS_USER": name,
        "ASSAY_NATS_PASSWORD": bus.passwords[name],
        "ASSAY_POSTGRES_URL": database.url(name),
        "ASSAY_POSTGRES_OWNER_URL": database.owner_url(name),
        "ASSAY_DEPLOYMENT": DEPLOYMENT,
        "ASSAY_OWNER": OWNER,
        "ASSAY_JWKS": str(folder / identity.TRUSTED),
        "ASSAY_SERVICE_KEY": str(identity.service_key(folder, name)),
        "ASSAY_PEERS": json.dumps(dict(peers or {})),
        **mtls.environ(folder, name),
    }
    program = _program(name, "serve", folder, environ)
    return Service(name, folder, environ, Running(program, lambda: _is_healthy(port)))


def bearer(folder: Path, principal: str = OWNER) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call by a person."""
    pem = (folder / "issuer.pem").read_bytes()
    token = tokens.mint_user(pem, "assay-local", principal, int(time.time()))
    return (("authorization", f"Bearer {token}"),)


def _program(name: str, verb: str, folder: Path, environ: Mapping[str, str]) -> Program:
    return Program(
        name=name,
        argv=(sys.executable, "-P", "-m", f"assay_{name}.main", verb),
        folder=folder,
        log=folder / f"{name}.log",
        env={**environ, "PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"},
    )


def _is_healthy(port: int) -> bool:
    if not ports.answers(port):
        time.sleep(0.05)
        return False
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=1
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
