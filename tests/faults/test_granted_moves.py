"""A grant moves its stage exactly once, and its end takes it out, whatever dies in between."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import ON_END_PREVIOUS, PolicySpec
from assay.client import AsyncClient
from tests.faults.conftest import Stack, create_model
from tests.faults.governed import Desk, Person, found, govern, kill_at_random

ROUNDS = 4
VALID_SECONDS = 30


@pytest.fixture(scope="session")
def bob(stack: Stack) -> Iterator[Person]:
    """Somebody who signs, after a founding that left three stages governed."""
    signer = found(stack, "bob")
    govern(stack, signer, "out", PolicySpec())
    govern(stack, signer, "previous", PolicySpec(on_end=ON_END_PREVIOUS))
    govern(stack, signer, "brief", PolicySpec(valid_seconds=VALID_SECONDS))
    yield signer
    signer.client.close()


async def desk(client: AsyncClient, signer: Person, digest: str, stage: str) -> Desk:
    """Return a model of its own."""
    model = await create_model(client, f"granted-{uuid4()}")
    return Desk(client, signer, model, f"{model}/stages/{stage}", digest)


@pytest.mark.slow
@pytest.mark.requirement("S5")
@pytest.mark.parametrize("victims", ["metadata", "approval", "postgres", "metadata approval"])
async def test_a_grant_moves_its_stage_once_although_processes_die(
    stack: Stack, client: AsyncClient, digest: str, bob: Person, victims: str
) -> None:
    here = await desk(client, bob, digest, "out")
    granted: list[str] = []
    for _ in range(ROUNDS):
        killing = asyncio.create_task(kill_at_random(stack, *victims.split()))
        approval = await here.grant()
        await here.wait_until_held_by(approval.version)
        await killing
        granted.append(approval.name)
    assert (await here.moves()) == Counter(StageSet=ROUNDS)
    await here.wait_until_held_under(granted)


@pytest.mark.slow
@pytest.mark.requirement("W9", "S9")
@pytest.mark.parametrize("end", ["revoke", "suspend"])
@pytest.mark.parametrize("stage", ["out", "previous"])
async def test_the_end_of_a_grant_takes_its_version_out_once_although_processes_die(
    stack: Stack, client: AsyncClient, digest: str, bob: Person, end: str, stage: str
) -> None:
    here = await desk(client, bob, digest, stage)
    first, second = await here.grant(), await here.grant()
    await here.wait_until_held_by(second.version)
    killing = asyncio.create_task(kill_at_random(stack, "metadata", "approval"))
    why = {"name": second.name, "reason": "An alarm."}
    if end == "revoke":
        await asyncio.to_thread(
            bob.client.approval.RevokeApproval, api.RevokeApprovalRequest(**why)
        )
    else:
        await asyncio.to_thread(
            bob.client.approval.SuspendApproval, api.SuspendApprovalRequest(**why)
        )
    await here.wait_until_held_by(first.version if stage == "previous" else "")
    await killing
    moves = await here.moves()
    assert moves["GrantEnded"] == 1
    assert (moves["StageSet"], moves["StageUnset"]) == ((3, 0) if stage == "previous" else (2, 1))
    if end == "suspend":
        killing = asyncio.create_task(kill_at_random(stack, "metadata", "approval"))
        await asyncio.to_thread(
            bob.client.approval.ResumeApproval, api.ResumeApprovalRequest(**why)
        )
        await here.wait_until_held_by(second.version)
        await killing
        assert (await here.moves())["GrantRestored"] == 1


@pytest.mark.slow
@pytest.mark.requirement("W8")
async def test_a_grant_whose_time_is_over_takes_its_version_out_although_processes_die(
    stack: Stack, client: AsyncClient, digest: str, bob: Person
) -> None:
    here = await desk(client, bob, digest, "brief")
    granted = await here.grant()
    await here.wait_until_held_by(granted.version)
    await kill_at_random(stack, "metadata", "approval")
    await here.wait_until_held_by("")
    assert (await here.moves()) == Counter(StageSet=1, StageUnset=1, GrantEnded=1)
