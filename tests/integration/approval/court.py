"""The approval service as a process, on real NATS and Postgres, and people who call it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.approval.v1.resources_pb2 import (
    Policy,
    PolicySpec,
    Role,
    Standing,
)
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.type.v1.metric_pb2 import Metric
from assay_events import token
from assay_serve.embedded import identity, nats, ports, postgres
from assay_trust import tokens
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.neighbours import Neighbours
from tests.support import mtls
from tests.support.authenticator import ORIGIN
from tests.support.scribe import DEPLOYMENT, OWNER, Scribe, writing
from tests.unit.assay_approval.people import DIGEST, Person

ROLES = ("approver:validator", "contributor")
SERVING = health_pb2.HealthCheckResponse.SERVING
_FAST = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200))


@dataclass
class Court:
    """A running service, and what lies around it."""

    folder: Path
    bus: nats.Bus
    database: postgres.Database
    environ: dict[str, str]
    versions: Neighbours
    founder: Caller = field(init=False)
    stub: ApprovalServiceStub = field(init=False)
    internal: ApprovalServiceStub = field(init=False)

    def user(self, principal: str, kind: str = "human") -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call by a principal's UUID."""
        pem = (self.folder / "identity" / "issuer.pem").read_bytes()
        token = tokens.mint_user(pem, "assay-local", principal, int(time.time()), kind=kind)
        return (("authorization", f"Bearer {token}"),)

    def service(self, name: str = "metadata") -> tuple[tuple[str, str], ...]:
        """Return the metadata of a call by another service."""
        pem = (self.folder / "identity" / f"{name}.pem").read_bytes()
        token = tokens.mint_service(pem, name, "approval", int(time.time()))
        return (("authorization", f"Bearer {token}"),)

    def run(self, verb: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the operator's verbs."""
        command = [sys.executable, "-m", "assay_approval.main", verb]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )

    def register(self, number: int = 1, model: str = "", digest: str = DIGEST) -> str:
        """Have a version in metadata; return its name."""
        model = model or f"{NAMESPACE}/models/m-{uuid4()}"
        name = f"{model}/versions/{number}"
        self.versions.known[name] = ModelVersion(
            name=name,
            number=number,
            state=State.STATE_ACTIVE,
            manifest_digest=digest,
            creator=f"principals/{OWNER}",
            metrics=[Metric(key="accuracy", value=0.973)],
        )
        return name

    def publish(self, model: str, quorum: int = 1, policy_id: str = "", etag: str = "") -> Policy:
        """Publish a policy over the model's stage `production`."""
        spec = PolicySpec(models=[model.split("/")[3]], stages=["production"], quorum=quorum)
        return self.enact(spec, policy_id, etag)

    def propose(self, spec: PolicySpec, policy_id: str = "", etag: str = "") -> Policy:
        """Propose a policy, as the owner; while there is none, that publishes it."""
        request = api.PublishPolicyRequest(
            parent=NAMESPACE,
            policy=Policy(spec=spec, etag=etag),
            policy_id=policy_id or f"p-{uuid4()}",
        )
        return self.stub.PublishPolicy(request, metadata=self.user(OWNER)).policy

    def enact(self, spec: PolicySpec, policy_id: str = "", etag: str = "") -> Policy:
        """Publish a policy: proposed by the owner, endorsed by the founder."""
        policy = self.propose(spec, policy_id, etag)
        if not policy.proposed_number:
            return policy
        return self.founder.endorse(f"{policy.name}/versions/{policy.proposed_number}").policy

    def governed(self, quorum: int = 1) -> str:
        """Return a version under a policy of its own."""
        version = self.register()
        self.publish(version, quorum)
        return version

    def ruled(self, said: PolicySpec) -> str:
        """Return a version under a policy of its own that says so of its stage `production`."""
        version = self.register()
        spec = PolicySpec(models=[version.split("/")[3]], stages=["production"])
        spec.MergeFrom(said)
        self.enact(spec)
        return version

    def someone(self, word: str = "", roles: Sequence[str] = ROLES) -> Caller:
        """Return a person who is known and has an enrolled key, and roles everywhere."""
        caller = Caller(self, Person(word or f"p{uuid4()}"))
        caller.create()
        key = caller.enrol()
        if key.standing == Standing.STANDING_PROPOSED:
            self.founder.endorse(key.name)
        for role in roles:
            self.give(caller.name, role)
        return caller

    def give(self, principal: str, role: str, scope: str = "*") -> Role:
        """Give a role: by the owner, endorsed by the founder."""
        given = self.grant_role(principal, role, scope)
        if given.standing == Standing.STANDING_PROPOSED:
            return self.founder.endorse(given.name).role
        return given

    def grant_role(self, principal: str, role: str, scope: str = "*") -> Role:
        """Propose a role, as the owner; at the founding that gives it."""
        request = api.GrantRoleRequest(parent=principal, role=Role(role=role, scope=scope))
        return self.stub.GrantRole(request, metadata=self.user(OWNER)).role

    def take(self, role: Role) -> Role:
        """Take a role away, as the owner."""
        request = api.RemoveRoleRequest(name=role.name, reason="Moved on.")
        return self.stub.RemoveRole(request, metadata=self.user(OWNER)).role

    def roles(self, principal: str, role: Role, revision: int = 0) -> Sequence[Role]:
        """Return the roles that somebody has, after `role` was given, or taken."""
        seen = token.encode(int(role.etag.strip('"')))
        request = api.ListRolesRequest(parent=principal, at_least_as_fresh=seen)
        if revision:
            request.as_of.revision = revision
        return self.stub.ListRoles(request, metadata=self.user(OWNER)).roles

    def link(self, one: Caller, other: Caller) -> None:
        """Let two accounts count as one person, as the owner."""
        request = api.LinkPrincipalRequest(name=one.name, other=other.name, reason="One human.")
        self.stub.LinkPrincipal(request, metadata=self.user(OWNER))

    def found(self) -> None:
        """Let the founder be the one who endorses, and end the founding with a first policy."""
        self.founder = self.someone("founder", ("policy-admin",))
        self.publish(f"{NAMESPACE}/models/nothing", policy_id="first")

    def check(
        self, version: str, approval: str = "", target: str = "", digest: str = DIGEST
    ) -> api.CheckGrantResponse:
        """Ask as the metadata service does."""
        request = api.CheckGrantRequest(
            target=target or f"{version.rpartition('/versions/')[0]}/stages/production",
            version=version,
            manifest_digest=digest,
            approval=approval,
        )
        return self.internal.CheckGrant(request, metadata=self.service())

    @asynccontextmanager
    async def scribe(self) -> AsyncIterator[Scribe]:
        """Write events past the service, as somebody with its NATS password could."""
        async with writing(self.bus) as scribe:
            yield scribe


@contextmanager
def sitting(folder: Path) -> Iterator[Court]:
    """Run the service on fresh servers."""
    (folder / "identity").mkdir(mode=0o700)
    identity.make(folder / "identity")
    neighbours = Neighbours()
    with (
        nats.running(folder / "nats") as bus,
        postgres.running(folder / "postgres") as database,
        neighbours.serving(folder / "identity") as peers,
    ):
        environ = {
            "PATH": os.environ["PATH"],
            "ASSAY_SERVICE": "approval",
            "ASSAY_LISTEN": f"127.0.0.1:{ports.free(set())}",
            "ASSAY_NATS_URL": bus.url,
            "ASSAY_NATS_USER": "approval",
            "ASSAY_NATS_PASSWORD": bus.passwords["approval"],
            "ASSAY_POSTGRES_URL": database.url("approval"),
            "ASSAY_DEPLOYMENT": DEPLOYMENT,
            "ASSAY_OWNER": OWNER,
            "ASSAY_JWKS": str(folder / "identity" / identity.TRUSTED),
            "ASSAY_SERVICE_KEY": str(folder / "identity" / "approval.pem"),
            "ASSAY_PASSKEY_ORIGIN": ORIGIN,
            "ASSAY_PEERS": json.dumps(peers),
            **mtls.environ(folder / "identity", "approval"),
        }
        _found(environ, bus)
        court = Court(folder, bus, database, environ, neighbours)
        with serving(court):
            court.found()
            yield court


def _as_metadata(court: Court) -> grpc.Channel:
    """Return a channel to the internal port, with the certificate of the metadata service."""
    credentials, options = mtls.client(court.folder / "identity", "metadata", "approval")
    return grpc.secure_channel(court.environ["ASSAY_INTERNAL_LISTEN"], credentials, options)


@contextmanager
def serving(court: Court) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the service as a process; end it by its own handle."""
    command = [sys.executable, "-m", "assay_approval.main", "serve"]
    with (
        (court.folder / "service.log").open("ab") as log,
        grpc.insecure_channel(court.environ["ASSAY_LISTEN"], options=_FAST) as channel,
        _as_metadata(court) as internal,
    ):
        process = subprocess.Popen(command, env=court.environ, stdout=log, stderr=log)
        try:
            wait_until_ready(channel)
            court.stub = ApprovalServiceStub(channel)
            court.internal = ApprovalServiceStub(internal)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            finally:
                process.kill()


def wait_until_ready(channel: grpc.Channel, seconds: float = 30.0) -> None:
    """Wait until the service says that it serves."""
    stub, until = health_pb2_grpc.HealthStub(channel), time.monotonic() + seconds
    while True:
        try:
            if stub.Check(health_pb2.HealthCheckRequest(), timeout=1).status == SERVING:
                return
        except grpc.RpcError:
            pass
        assert time.monotonic() < until, "The service did not become ready."
        time.sleep(0.05)


def _found(environ: dict[str, str], bus: nats.Bus) -> None:
    setup = {"ASSAY_NATS_USER": "setup", "ASSAY_NATS_PASSWORD": bus.passwords["setup"]}
    command = [sys.executable, "-m", "assay_events.setup"]
    subprocess.run(command, env={**environ, **setup}, check=True, timeout=30)
