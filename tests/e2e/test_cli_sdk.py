"""The SDK against a real stack: sync and async, watch, retries across a crash."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.client import AsyncClient, Client
from assay.errors import Aborted, NotFound
from assay.event.v1.envelope_pb2 import Envelope
from assay.event.v1.event_service_pb2 import WatchRequest
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model
from assay.registering import Details
from tests.e2e.conftest import Assay

PARENT = "namespaces/default"


def create(name: str) -> api.CreateModelRequest:
    return api.CreateModelRequest(parent=PARENT, model_id=name)


def test_a_write_is_read_at_once_by_the_same_client(stack: Path) -> None:
    with Client.connect(stack) as client:
        for number in range(20):
            client.metadata.CreateModel(create(f"fresh-{number}"))
            name = f"{PARENT}/models/fresh-{number}"
            assert client.metadata.GetModel(api.GetModelRequest(name=name)).model.name == name


def test_a_stale_etag_is_aborted_and_not_retried(stack: Path) -> None:
    with Client.connect(stack) as client:
        model = client.metadata.CreateModel(create("etag")).model
        model.description = "one"
        client.metadata.UpdateModel(api.UpdateModelRequest(model=model))
        model.description = "two"
        with pytest.raises(Aborted) as refusal:
            client.metadata.UpdateModel(api.UpdateModelRequest(model=model))
        assert refusal.value.reason == "ETAG_MISMATCH"


def test_racing_writers_without_etag_all_succeed(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("w")
    with Client.connect(stack) as client:

        def register(number: int) -> int:
            details = Details(metrics={"seed": number})
            return client.register("raced", tmp_path, details=details).number

        with ThreadPoolExecutor(16) as pool:
            numbers = list(pool.map(register, range(32)))
    assert sorted(numbers) == list(range(1, 33))


async def test_the_async_client_registers_pulls_and_watches(stack: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_bytes(os.urandom(1000))
    async with AsyncClient.connect(stack, as_user="zoe") as client:
        version = await client.register("awaited", folder, details=Details(tags={"a": "b"}))
        assert version.creator == client.principal
        await client.pull("awaited/1", tmp_path / "out")
        assert (tmp_path / "out" / "weights").read_bytes() == (folder / "weights").read_bytes()
        with pytest.raises(NotFound):
            await client.resolve("awaited@nothing")
        request = WatchRequest(resource=f"{PARENT}/models/awaited")
        seen = []
        async with asyncio.timeout(20):
            async for event in client.watch(request):
                seen.append(Envelope.FromString(event.envelope).type.rpartition(".")[2])
                if len(seen) == 2:
                    break
    assert seen == ["ModelCreated", "ModelVersionRegistered"]


def test_a_crash_of_a_service_is_bridged_by_retries(assay: Assay, stack: Path) -> None:
    with Client.connect(stack) as client:
        client.metadata.CreateModel(create("crash-0"))
        processes = assay.json("status")["processes"]
        assert isinstance(processes, list)
        (pid,) = (process["pid"] for process in processes if process["name"] == "metadata")
        os.kill(pid, signal.SIGKILL)
        request = create("crash-1")
        request.request_id = "0b0b1e9c-6f0a-4f60-9f6e-2d6b1a4a7c11"
        assert client.metadata.CreateModel(request).model.name == f"{PARENT}/models/crash-1"
        again = client.metadata.CreateModel(request)  # the same request: the same outcome
        assert again.model.name == f"{PARENT}/models/crash-1"
    end = time.monotonic() + 30
    while not assay_is_healthy(assay) and time.monotonic() < end:
        time.sleep(0.2)
    assert assay_is_healthy(assay)


def assay_is_healthy(assay: Assay) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli", "status", "--json", "--data", str(assay.data)],
        capture_output=True,
        text=True,
        check=False,
    )
    healthy: bool = json.loads(done.stdout)["healthy"]
    return healthy


def test_a_model_with_tags_is_listed_by_them(stack: Path) -> None:
    with Client.connect(stack) as client:
        request = create("tagged")
        request.model.CopyFrom(Model(tags={"team": "listed by tags"}))
        client.metadata.CreateModel(request)
        where = api.ListModelsRequest(parent=PARENT, filter='tags.team = "listed by tags"')
        names = [model.name for model in client.metadata.ListModels(where).models]
        assert names == [f"{PARENT}/models/tagged"]
