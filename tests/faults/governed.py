"""People and policies on the stack of fault tests: who signs, and what is governed how."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from assay import endorsing
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Approval, PolicySpec, Role
from assay.client import AsyncClient, Client
from assay.errors import NotFound
from assay.event.v1.envelope_pb2 import Envelope
from assay.event.v1.event_service_pb2 import WatchRequest
from assay.metadata.v1 import metadata_service_pb2 as metadata
from assay.signing import enrol
from assay_trust import keys
from assay_trust.keys import KeyPair
from tests.faults.conftest import PATIENT, Stack, registration

PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Person:
    """Somebody with an enrolled key and the role of a validator."""

    client: Client
    pair: KeyPair


def found(stack: Stack, login: str) -> Person:
    """Enrol a person and give the role, while the deployment is being founded."""
    client = Client.connect(stack.data, as_user=login, retries=PATIENT)
    request = api.CreatePrincipalRequest()
    request.principal.printed_name = login.title()
    client.approval.CreatePrincipal(request)
    pair = keys.generate()
    secrets = json.loads((stack.data / "secrets.json").read_text())
    enrol(client, pair, secrets["deployment"])
    with Client.connect(stack.data, retries=PATIENT) as owner:
        role = Role(role="approver:validator", scope="*")
        owner.approval.GrantRole(api.GrantRoleRequest(parent=client.principal, role=role))
    return Person(client, pair)


def govern(stack: Stack, endorser: Person, stage: str, spec: PolicySpec) -> None:
    """Put a stage of all models under a policy of one signature, endorsed where that is needed."""
    spec.models.append("*")
    spec.stages.append(stage)
    spec.quorum = 1
    request = api.PublishPolicyRequest(parent="namespaces/default", policy_id=stage)
    request.policy.spec.CopyFrom(spec)
    with Client.connect(stack.data, retries=PATIENT) as owner:
        made = owner.approval.PublishPolicy(request).policy
        endorser.client.saw(owner.consistency_token)
    if made.proposed_number:
        name = f"{made.name}/versions/{made.proposed_number}"
        public = endorser.pair.public
        prepared = endorsing.prepare(endorser.client, name, public)
        endorsing.endorse(endorser.client, prepared, endorser.pair)


@dataclass(frozen=True)
class Desk:
    """One model under a policy, and who signs for its versions."""

    client: AsyncClient
    signer: Person
    model: str
    stage: str
    digest: str

    async def grant(self) -> Approval:
        """Register a version and have it approved for the stage."""
        request = registration(self.model, self.digest, str(uuid4()))
        version = (await self.client.metadata.RegisterModelVersion(request)).model_version.name
        asked = api.RequestApprovalRequest(parent="namespaces/default")
        asked.approval.version, asked.approval.target = version, self.stage
        name = (await self.client.approval.RequestApproval(asked)).approval.name
        self.signer.client.saw(self.client.consistency_token)
        return await asyncio.to_thread(self.signer.client.sign, name, self.signer.pair)

    async def holder(self) -> str:
        """Return which version holds the stage, empty for none."""
        request = metadata.GetStageRequest(name=self.stage)
        try:
            return (await self.client.metadata.GetStage(request)).stage.version
        except NotFound:
            return ""

    async def wait_until_held_by(self, version: str) -> None:
        """Wait until a version holds the stage, or nothing does."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (held := await self.holder()) != version:
            assert time.monotonic() < end, f"{self.stage} is held by {held!r}, not by {version!r}"
            await asyncio.sleep(0.05)

    async def wait_until_held_under(self, approvals: Sequence[str]) -> None:
        """Wait until the holdings of the stage name these approvals, each once.

        A killed Postgres forgets its last moments, and projects them again (docs/adr/0010).
        """
        request = metadata.ListHoldingsRequest(parent=self.stage, page_size=100)
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            listed = (await self.client.metadata.ListHoldings(request)).holdings
            found = Counter(holding.approval for holding in listed)
            if found == Counter(approvals):
                return
            assert time.monotonic() < end, f"{found}, not {approvals}"
            await asyncio.sleep(0.05)

    async def moves(self) -> Counter[str]:
        """Return from the stream itself how often each sort of event came about the stage."""
        request = WatchRequest(resource=self.model, until_now=True)
        counted = Counter[str]()
        async for event in self.client.watch(request):
            kind = Envelope.FromString(event.envelope).type.rpartition(".")[2]
            counted[kind] += kind.startswith(("Stage", "Grant"))
        return +counted


async def kill_at_random(stack: Stack, *names: str) -> None:
    """Kill processes, each at some moment of the next second."""

    async def kill(name: str) -> None:
        await asyncio.sleep(random.uniform(0, 1))
        await asyncio.to_thread(stack.kill, name)

    await asyncio.gather(*map(kill, names))
