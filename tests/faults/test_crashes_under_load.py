"""Processes die while others write: nothing acknowledged is lost, and nothing is done twice."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

import pytest

from assay.client import AsyncClient
from assay.event.v1.envelope_pb2 import Envelope
from assay.event.v1.event_service_pb2 import WatchRequest
from assay.metadata.v1 import metadata_service_pb2 as metadata
from assay.metadata.v1.events_pb2 import ModelVersionRegistered
from tests.faults.conftest import Stack, create_model, registration

WRITERS, EACH = 16, 12


async def write(client: AsyncClient, model: str, digest: str) -> list[tuple[str, int]]:
    """Register versions one after the other.

    Return each request id with the number it was given.
    """
    done: list[tuple[str, int]] = []
    for _ in range(EACH):
        request = registration(model, digest, str(uuid4()))
        answer = await client.metadata.RegisterModelVersion(request)
        done.append((request.request_id, answer.model_version.number))
    return done


async def kill_now_and_then(stack: Stack, name: str, stop: asyncio.Event) -> int:
    """Kill a process again and again until told to stop; return how often."""
    kills = 0
    while not stop.is_set():
        await asyncio.sleep(random.uniform(0.2, 1.2))
        await asyncio.to_thread(stack.kill, name)
        kills += 1
        await asyncio.sleep(2.5)
    return kills


async def recorded(client: AsyncClient, model: str) -> dict[str, int]:
    """Return from the stream itself which request wrote which version of a model."""
    kind = "assay.metadata.v1.ModelVersionRegistered"
    request = WatchRequest(types=[kind], resource=model, until_now=True)
    found: dict[str, int] = {}
    async for event in client.watch(request):
        envelope = Envelope.FromString(event.envelope)
        number = ModelVersionRegistered.FromString(envelope.data).number
        assert envelope.request_id not in found
        found[envelope.request_id] = number
    return found


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["metadata", "nats", "postgres"])
async def test_no_acknowledged_version_is_lost_and_none_comes_twice(
    stack: Stack, client: AsyncClient, digest: str, victim: str
) -> None:
    model = await create_model(client, f"crash-{victim}-{uuid4().hex[:6]}")
    stop = asyncio.Event()
    killing = asyncio.create_task(kill_now_and_then(stack, victim, stop))
    answers = await asyncio.gather(*(write(client, model, digest) for _ in range(WRITERS)))
    stop.set()
    assert await killing >= 1
    acknowledged = dict(pair for answer in answers for pair in answer)
    assert sorted(acknowledged.values()) == list(range(1, WRITERS * EACH + 1))
    assert await recorded(client, model) == acknowledged
    assert await asyncio.to_thread(stack.check, "metadata") == ""


async def test_a_retry_after_a_crash_gets_the_first_outcome(
    stack: Stack, client: AsyncClient, digest: str
) -> None:
    model = await create_model(client, f"retry-{uuid4().hex[:6]}")
    request = registration(model, digest, str(uuid4()))
    first = await client.metadata.RegisterModelVersion(request)
    await client.metadata.RegisterModelVersion(registration(model, digest, str(uuid4())))
    await asyncio.to_thread(stack.kill, "metadata")
    again = await client.metadata.RegisterModelVersion(request)
    assert again.model_version == first.model_version


@pytest.mark.slow
async def test_every_read_model_survives_the_death_of_its_projector(
    stack: Stack, client: AsyncClient, digest: str
) -> None:
    model = await create_model(client, f"projector-{uuid4().hex[:6]}")
    services = ["metadata", "artifact", "lineage", "approval", "audit"]
    writing = asyncio.gather(*(write(client, model, digest) for _ in range(8)))
    for name in services:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(stack.kill, name)
    await writing
    await asyncio.sleep(2)
    said = {name: await asyncio.to_thread(stack.check, name) for name in services}
    assert said == dict.fromkeys(services, "")


async def test_64_writers_number_one_model_without_gaps(client: AsyncClient, digest: str) -> None:
    model = await create_model(client, f"race-{uuid4().hex[:6]}")
    requests = [registration(model, digest, str(uuid4())) for _ in range(64)]
    answers = await asyncio.gather(*map(client.metadata.RegisterModelVersion, requests))
    numbers = Counter(answer.model_version.number for answer in answers)
    assert numbers == Counter(range(1, 65))
    listed = await client.metadata.ListModelVersions(
        metadata.ListModelVersionsRequest(parent=model, page_size=100)
    )
    assert [version.number for version in listed.model_versions] == list(range(64, 0, -1))
