"""The approval service as a process that trusts OIDC providers of a test's own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.approval.v1.resources_pb2 import Principal
from assay_serve.embedded import nats, postgres
from assay_serve.embedded.processes import Running
from tests.support.service import Service, service


@dataclass(frozen=True)
class Trusting:
    """A running service, and who it says one is."""

    served: Service
    channel: grpc.Channel

    @property
    def stub(self) -> ApprovalServiceStub:
        return ApprovalServiceStub(self.channel)

    def whoami(self, token: str) -> Principal:
        """Return the caller's principal, which becomes known by this."""
        request = api.CreatePrincipalRequest(principal=Principal(printed_name="Erin"))
        return self.stub.CreatePrincipal(request, metadata=as_(token), timeout=20).principal

    def refused(self, token: str) -> tuple[grpc.StatusCode, str]:
        """Return how a token is refused, OK where it is not."""
        try:
            self.whoami(token)
        except grpc.RpcError as error:
            said = str(error.details())
            assert token not in said
            return error.code(), said
        return grpc.StatusCode.OK, ""


def as_(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call with a token."""
    return (("authorization", f"Bearer {token}"),)


def eventually(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "It did not come about."
        time.sleep(0.1)


@contextmanager
def trusting(folder: Path, issuers: Sequence[dict[str, object]]) -> Iterator[Trusting]:
    """Run the service on fresh servers."""
    with nats.running(folder / "nats") as bus, postgres.running(folder / "postgres") as database:
        plain = service("approval", folder / "identity", bus, database)
        told = {"ASSAY_OIDC_ISSUERS": json.dumps(list(issuers))}
        _found(plain, bus)
        program = replace(plain.running.program, env={**plain.running.program.env, **told})
        served = replace(plain, running=Running(program, plain.running.is_ready))
        served.prepare()
        served.running.start()
        try:
            with grpc.insecure_channel(served.target) as channel:
                yield Trusting(served, channel)
        finally:
            served.running.stop()


def _found(served: Service, bus: nats.Bus) -> None:
    environ = {
        **served.environ,
        "PATH": os.environ["PATH"],
        "ASSAY_NATS_USER": "setup",
        "ASSAY_NATS_PASSWORD": bus.passwords["setup"],
    }
    command = [sys.executable, "-m", "assay_events.setup"]
    subprocess.run(command, env=environ, check=True, timeout=60)
