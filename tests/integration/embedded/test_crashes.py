"""Whatever is killed comes back, and what was kept is still there."""

import asyncio
import contextlib
import io
import json
import os
import signal

import asyncpg
import pytest
from minio import Minio

from assay_serve.embedded.contexts import SERVICES
from tests.integration.embedded.stack import BACKENDS, Json, Stack, connect, runs, wait_until


@pytest.mark.parametrize("name", ["metadata", *BACKENDS])
def test_a_killed_process_is_started_again_on_its_port(running: Stack, name: str) -> None:
    before = running.status()
    os.kill(int(before[name]["pid"]), signal.SIGKILL)
    wait_until(lambda: running.status()[name]["pid"] != before[name]["pid"])
    wait_until(running.is_healthy)
    after = running.status()
    assert after[name]["restarts"] == int(before[name]["restarts"]) + 1
    assert after[name]["port"] == before[name]["port"]
    others = set(before) - {name}
    assert {o: after[o]["pid"] for o in others} == {o: before[o]["pid"] for o in others}


def test_a_service_that_ends_by_itself_is_started_again(running: Stack) -> None:
    before = running.status()["lineage"]
    os.kill(int(before["pid"]), signal.SIGTERM)
    wait_until(lambda: int(running.status()["lineage"]["restarts"]) == 1)
    wait_until(running.is_healthy)


def test_all_killed_at_once_come_back(running: Stack) -> None:
    before = running.status()
    for name in (*SERVICES, *BACKENDS):
        os.kill(int(before[name]["pid"]), signal.SIGKILL)
    wait_until(lambda: all(running.status()[n]["pid"] != before[n]["pid"] for n in SERVICES))
    wait_until(running.is_healthy)


def test_a_killed_supervisor_leaves_nothing_behind(stack: Stack) -> None:
    stack.up()
    lines = stack.status()
    os.kill(int(lines["supervisor"]["pid"]), signal.SIGKILL)
    wait_until(lambda: not [pid for line in lines.values() if runs(pid := int(line["pid"]))])
    assert stack.run("status").returncode == 1


async def test_nothing_is_lost_when_all_is_killed(stack: Stack) -> None:
    endpoints, secrets = stack.up(), stack.secrets()
    await _keep_something(endpoints, secrets)
    lines = stack.status()
    for line in sorted(lines.values(), key=lambda line: line["name"] != "supervisor"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line["pid"]), signal.SIGKILL)
    assert stack.up() == endpoints
    await _see_that_it_is_there(endpoints, secrets)
    after = stack.status()
    assert not {line["pid"] for line in after.values()} & {line["pid"] for line in lines.values()}


def test_up_stops_what_a_killed_supervisor_left_running(stack: Stack) -> None:
    stack.up()
    lines = stack.status()
    for name in (
        "metadata",
        "nats",
        "postgres",
        "s3",
    ):  # so that their parent's end does not end them
        os.kill(int(lines[name]["pid"]), signal.SIGSTOP)
    os.kill(int(lines["supervisor"]["pid"]), signal.SIGKILL)
    stack.up()
    assert not [line["name"] for line in lines.values() if runs(int(line["pid"]))]
    assert stack.is_healthy()


def test_down_stops_what_a_killed_supervisor_left_running(stack: Stack) -> None:
    stack.up()
    lines = stack.status()
    os.kill(int(lines["metadata"]["pid"]), signal.SIGSTOP)
    os.kill(int(lines["supervisor"]["pid"]), signal.SIGKILL)
    assert stack.run("down").returncode == 0
    assert not [line["name"] for line in lines.values() if runs(int(line["pid"]))]


async def _keep_something(endpoints: dict[str, str], secrets: dict[str, Json]) -> None:
    client = await connect(endpoints, secrets, "setup")
    config = {"name": "ASSAY", "subjects": ["assay.v1.>"], "storage": "file", "allow_direct": True}
    await client.request("$JS.API.STREAM.CREATE.ASSAY", json.dumps(config).encode())
    await client.request("assay.v1.metadata.model.a", b"event")
    await client.close()
    database = await asyncpg.connect(_metadata_url(endpoints, secrets))
    await database.execute("CREATE SCHEMA kept; CREATE TABLE kept.row AS SELECT 7 AS value")
    await database.close()
    store = _store(endpoints, secrets)
    await asyncio.to_thread(store.put_object, "assay", "kept", io.BytesIO(b"bytes"), 5)


async def _see_that_it_is_there(endpoints: dict[str, str], secrets: dict[str, Json]) -> None:
    client = await connect(endpoints, secrets, "setup")
    found = await client.request("$JS.API.DIRECT.GET.ASSAY.assay.v1.metadata.model.a")
    info = await client.request("$JS.API.STREAM.INFO.ASSAY")
    assert json.loads(info.data)["state"]["messages"] == 1, found
    await client.close()
    database = await asyncpg.connect(_metadata_url(endpoints, secrets))
    assert await database.fetchval("SELECT value FROM kept.row") == 7
    await database.close()
    store = _store(endpoints, secrets)
    kept = await asyncio.to_thread(store.get_object, "assay", "kept")
    assert kept.read() == b"bytes"
    kept.close()


def _metadata_url(endpoints: dict[str, str], secrets: dict[str, Json]) -> str:
    passwords = secrets["postgres"]
    assert isinstance(passwords, dict)
    return f"postgresql://metadata:{passwords['metadata']}@{endpoints['postgres']}/metadata"


def _store(endpoints: dict[str, str], secrets: dict[str, Json]) -> Minio:
    keys = secrets["s3"]
    assert isinstance(keys, dict)
    return Minio(
        endpoints["s3"], str(keys["access_key"]), str(keys["secret_key"]),
        secure=False, region="us-east-1",
    )  # fmt: skip
