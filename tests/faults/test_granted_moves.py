"""A granted move is made exactly once, whatever dies between the grant and the move."""

import asyncio
import json
import time
from collections import Counter
from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as approvals
from assay.client import AsyncClient, Client
from assay.errors import AssayError
from assay.metadata.v1 import metadata_service_pb2 as metadata
from assay.signing import enrol
from assay_trust import keys
from assay_trust.keys import KeyPair
from tests.faults.conftest import PATIENT, Stack, create_model, registration

ROUNDS = 4


def signer(stack: Stack, login: str) -> tuple[Client, KeyPair]:
    """Return the client of a person with an enrolled key."""
    client = Client.connect(stack.data, as_user=login, retries=PATIENT)
    request = approvals.CreatePrincipalRequest()
    request.principal.printed_name = login.title()
    client.approval.CreatePrincipal(request)
    pair = keys.generate()
    secrets = json.loads((stack.data / "secrets.json").read_text())
    enrol(client, pair, secrets["deployment"])
    return client, pair


async def govern(client: AsyncClient, policy: str, model: str) -> None:
    """Let one signature rule the production stage of a model."""
    request = approvals.PublishPolicyRequest(parent="namespaces/default", policy_id=policy)
    request.policy.spec.models.append(model)
    request.policy.spec.stages.append("production")
    request.policy.spec.quorum = 1
    await client.approval.PublishPolicy(request)


async def holder(client: AsyncClient, stage: str) -> str:
    """Return which version holds a stage, empty for none."""
    try:
        answer = await client.metadata.GetStage(metadata.GetStageRequest(name=stage))
    except AssayError:
        return ""
    return answer.stage.version


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["metadata", "approval", "postgres"])
async def test_a_grant_moves_its_stage_once_although_a_process_dies(
    stack: Stack, client: AsyncClient, digest: str, victim: str
) -> None:
    name = f"moved-{victim}-{uuid4().hex[:6]}"
    model, stage = await create_model(client, name), ""
    await govern(client, f"p-{uuid4().hex[:8]}", name)
    bob, pair = await asyncio.to_thread(signer, stack, f"bob-{uuid4().hex[:6]}")
    granted: list[str] = []
    for _ in range(ROUNDS):
        request = registration(model, digest, str(uuid4()))
        version = (await client.metadata.RegisterModelVersion(request)).model_version.name
        stage = f"{model}/stages/production"
        asked = approvals.RequestApprovalRequest(parent="namespaces/default")
        asked.approval.version, asked.approval.target = version, stage
        approval = (await client.approval.RequestApproval(asked)).approval.name
        bob.saw(client.consistency_token)
        await asyncio.to_thread(bob.sign, approval, pair)
        await asyncio.to_thread(stack.kill, victim)
        await wait_until_held(client, stage, version)
        granted.append(approval)
    bob.close()
    listed = await client.metadata.ListHoldings(
        metadata.ListHoldingsRequest(parent=stage, page_size=100)
    )
    assert Counter(holding.approval for holding in listed.holdings) == Counter(granted)


async def wait_until_held(client: AsyncClient, stage: str, version: str) -> None:
    """Wait until a version holds a stage."""
    end = time.monotonic() + 30
    while await holder(client, stage) != version:
        assert time.monotonic() < end, "the granted move was never made"
        await asyncio.sleep(0.1)
