"""The approval service as a process, on real NATS and Postgres, and people who call it."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.approval.v1.resources_pb2 import (
    Approval,
    Key,
    Meaning,
    Policy,
    PolicySpec,
    Principal,
    Role,
    Standing,
)
from assay.metadata.v1.metadata_service_pb2 import GetModelVersionRequest, GetModelVersionResponse
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.type.v1.metric_pb2 import Metric
from assay_events import token
from assay_serve.embedded import identity, nats, ports, postgres
from assay_trust import dsse, tokens
from assay_trust.record import (
    ENDORSEMENT_TYPE,
    ENROLMENT_TYPE,
    SIGNATURE_TYPE,
    EnrolmentRecord,
    new_nonce,
)

from tests.support import mtls
from tests.support.scribe import DEPLOYMENT, OWNER, Scribe, writing
from tests.unit.assay_approval.people import DIGEST, Person

NAMESPACE = "namespaces/default"
ROLES = ("approver:validator", "contributor")
SERVING = health_pb2.HealthCheckResponse.SERVING
_FAST = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200))


class Versions:
    """A small metadata service: knows the versions that a test says."""

    def __init__(self) -> None:
        self.known: dict[str, ModelVersion] = {}
        self.tokens: list[str] = []
        self.is_away = False

    def get(
        self, request: GetModelVersionRequest, context: grpc.ServicerContext
    ) -> GetModelVersionResponse:
        metadata = dict(context.invocation_metadata())
        assert str(metadata["authorization"]).startswith("Bearer ")
        self.tokens.append(request.at_least_as_fresh)
        if self.is_away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if request.name not in self.known:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such version")
        return GetModelVersionResponse(model_version=self.known[request.name])

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the one rpc, for a server."""
        method = grpc.unary_unary_rpc_method_handler(
            self.get,
            request_deserializer=GetModelVersionRequest.FromString,
            response_serializer=GetModelVersionResponse.SerializeToString,
        )
        service = "assay.metadata.v1.MetadataService"
        return grpc.method_handlers_generic_handler(service, {"GetModelVersion": method})


@dataclass
class Court:
    """A running service, and what lies around it."""

    folder: Path
    bus: nats.Bus
    database: postgres.Database
    environ: dict[str, str]
    versions: Versions
    founder: "Caller" = field(init=False)
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

    def ruled(self, **fields: object) -> str:
        """Return a version under a policy of its own that says what `fields` say."""
        version = self.register()
        spec = PolicySpec(models=[version.split("/")[3]], stages=["production"])
        spec.MergeFrom(PolicySpec(**fields))  # type: ignore[arg-type]
        self.enact(spec)
        return version

    def someone(self, word: str = "", roles: Sequence[str] = ROLES) -> "Caller":
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

    def roles(self, principal: str) -> Sequence[Role]:
        """Return the roles that somebody has now."""
        request = api.ListRolesRequest(parent=principal, at_least_as_fresh=self.level())
        return self.stub.ListRoles(request, metadata=self.user(OWNER)).roles

    def link(self, one: "Caller", other: "Caller") -> None:
        """Let two accounts count as one person, as the owner."""
        request = api.LinkPrincipalRequest(name=one.name, other=other.name, reason="One human.")
        self.stub.LinkPrincipal(request, metadata=self.user(OWNER))

    def level(self) -> str:
        """Return a token of what is written now."""
        request = api.CheckGrantRequest(
            target=f"{NAMESPACE}/models/none/stages/production",
            version=f"{NAMESPACE}/models/none/versions/1",
            manifest_digest=DIGEST,
        )
        return self.internal.CheckGrant(request, metadata=self.service()).consistency_token

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


@dataclass
class Caller:
    """A person at the service."""

    court: Court
    person: Person
    kind: str = "human"

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return self.court.user(self.name.removeprefix("principals/"), self.kind)

    def create(self, printed_name: str = "") -> Principal:
        principal = Principal(printed_name=printed_name or self.person.word.title(), login="x")
        request = api.CreatePrincipalRequest(principal=principal)
        return self.court.stub.CreatePrincipal(request, metadata=self.metadata).principal

    def enrol(self, person: Person | None = None) -> Key:
        key = person or self.person
        record = EnrolmentRecord(
            deployment=DEPLOYMENT,
            principal=self.name,
            key=f"{self.name}/keys/{key.key.rpartition('/')[2]}",
            public_key=key.pair.public.hex(),
            time=datetime.now(UTC).replace(microsecond=0),
            nonce=new_nonce(),
        ).to_bytes()
        request = api.EnrolKeyRequest(
            parent=self.name,
            public_key=key.pair.public,
            record=record,
            signature=dsse.sign(key.pair.private, ENROLMENT_TYPE, record),
        )
        return self.court.stub.EnrolKey(request, metadata=self.metadata).key

    def endorse(self, name: str) -> api.EndorseResponse:
        """Put a proposal in force."""
        request = self.request_to_endorse(name)
        return self.court.stub.Endorse(request, metadata=self.metadata)

    def request_to_endorse(self, name: str) -> api.EndorseRequest:
        """Return the request with the caller's signature."""
        asked = api.PrepareEndorsementRequest(name=name, key=self.person.key)
        prepared = self.court.stub.PrepareEndorsement(asked, metadata=self.metadata)
        return api.EndorseRequest(
            name=name,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, ENDORSEMENT_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )

    def ask(
        self, version: str, request_id: str = "", target: str = "", *, is_break_glass: bool = False
    ) -> Approval:
        """Request an approval of a version, for production unless told otherwise."""
        target = target or f"{version.rpartition('/versions/')[0]}/stages/production"
        request = api.RequestApprovalRequest(
            parent=NAMESPACE,
            approval=Approval(version=version, target=target, is_break_glass=is_break_glass),
            request_id=request_id,
            reason="It is better.",
        )
        return self.court.stub.RequestApproval(request, metadata=self.metadata).approval

    def prepare(
        self, approval: str, meaning: Meaning.ValueType = Meaning.MEANING_APPROVED, reason: str = ""
    ) -> api.PrepareSignatureResponse:
        request = api.PrepareSignatureRequest(
            name=approval, meaning=meaning, key=self.person.key, reason=reason
        )
        return self.court.stub.PrepareSignature(request, metadata=self.metadata)

    def request_to_sign(self, approval: str, reason: str = "") -> api.SignApprovalRequest:
        prepared = self.prepare(approval, reason=reason)
        return api.SignApprovalRequest(
            name=approval,
            request_id=str(uuid4()),
            reason=prepared.reason,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, SIGNATURE_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )

    def sign(self, approval: str, reason: str = "") -> Approval:
        request = self.request_to_sign(approval, reason)
        return self.court.stub.SignApproval(request, metadata=self.metadata).approval

    def reject(self, approval: str, reason: str) -> Approval:
        prepared = self.prepare(approval, Meaning.MEANING_REJECTED, reason)
        request = api.RejectApprovalRequest(
            name=approval,
            reason=prepared.reason,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, SIGNATURE_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )
        return self.court.stub.RejectApproval(request, metadata=self.metadata).approval

    def revoke(self, approval: str, reason: str = "A bug.") -> Approval:
        request = api.RevokeApprovalRequest(name=approval, reason=reason)
        return self.court.stub.RevokeApproval(request, metadata=self.metadata).approval

    def revoke_key(self, key: str = "", reason: str = "Lost.") -> Key:
        request = api.RevokeKeyRequest(name=key or self.person.key, reason=reason)
        return self.court.stub.RevokeKey(request, metadata=self.metadata).key

    def get(self, approval: str, fresh: str = "") -> Approval:
        request = api.GetApprovalRequest(name=approval, at_least_as_fresh=fresh)
        return self.court.stub.GetApproval(request, metadata=self.metadata).approval

    def list(
        self, text: str, fresh: str = "", page_size: int = 0, page_token: str = ""
    ) -> api.ListApprovalsResponse:
        request = api.ListApprovalsRequest(
            parent=NAMESPACE,
            filter=text,
            at_least_as_fresh=fresh,
            page_size=page_size,
            page_token=page_token,
        )
        return self.court.stub.ListApprovals(request, metadata=self.metadata)


def fresh(approval: Approval) -> str:
    """Return the token of the approval's last event."""
    return token.encode(int(approval.etag.strip('"')))


def refused(reason: str) -> "pytest.RaisesExc[grpc.RpcError]":
    """Expect a refusal for a reason."""
    return pytest.raises(grpc.RpcError, check=lambda error: reason_of(error) == reason)


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason in a refusal, without its prefix."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


@contextmanager
def sitting(folder: Path) -> Iterator[Court]:
    """Run the service on fresh servers."""
    (folder / "identity").mkdir(mode=0o700)
    identity.make(folder / "identity")
    with nats.running(folder / "nats") as bus, postgres.running(folder / "postgres") as database:
        versions = Versions()
        peer = grpc.server(ThreadPoolExecutor(16))
        peer.add_generic_rpc_handlers((versions.handler(),))
        credentials = mtls.server_credentials(folder / "identity", "metadata")
        port = peer.add_secure_port("127.0.0.1:0", credentials)
        peer.start()
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
            "ASSAY_PEERS": f'{{"metadata": "127.0.0.1:{port}"}}',
            **mtls.environ(folder / "identity", "approval"),
        }
        _found(environ, bus)
        court = Court(folder, bus, database, environ, versions)
        try:
            with serving(court):
                court.found()
                yield court
        finally:
            peer.stop(None)


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
