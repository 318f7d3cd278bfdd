"""A stack of its own for tests that kill its processes.

And a way to write to it that never gives up.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from assay.calls import RetryPolicy
from assay.client import AsyncClient
from assay.metadata.v1 import metadata_service_pb2 as metadata

PATIENT = RetryPolicy(deadline_seconds=60, max_attempts=200)


@dataclass(frozen=True)
class Stack:
    """A running stack whose processes can be killed."""

    data: Path

    def kill(self, name: str) -> None:
        """Kill a process as `kill -9` does, once it runs; the supervisor starts it again."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(ProcessLookupError):  # it may have gone by itself since it was listed
                if pid := self.pid(name):  # 0 would be the group of this very process
                    return os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        raise AssertionError(f"{name} does not run.")

    def pid(self, name: str) -> int:
        """Return the process id of a part."""
        done = self.control("status", "--json", check=False)
        processes = json.loads(done.stdout)["processes"]
        return int(next(p["pid"] for p in processes if p["name"] == name))

    def control(
        self, verb: str, *words: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the stack's own program."""
        line = [
            sys.executable,
            "-m",
            "assay_serve.embedded",
            verb,
            "--data",
            str(self.data),
            *words,
        ]
        return subprocess.run(line, capture_output=True, text=True, check=check, timeout=120)

    def check(self, service: str) -> str:
        """Compare a read model with its rebuild; return what is said."""
        done = self.control("run", service, "check", check=False)
        return done.stdout if done.returncode else ""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack."""
    running = Stack(tmp_path_factory.mktemp("faults") / "data")
    running.control("up")
    yield running
    running.control("down")


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    """The local owner's client, which retries for a minute."""
    async with AsyncClient.connect(stack.data, retries=PATIENT) as connected:
        yield connected


@pytest.fixture(scope="session")
def digest(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of a committed manifest."""
    file = tmp_path_factory.mktemp("model") / "model.bin"
    file.write_bytes(b"weights")

    async def register() -> str:
        async with AsyncClient.connect(stack.data, retries=PATIENT) as connected:
            return (await connected.register("seed", file)).manifest_digest

    return asyncio.run(register())


async def create_model(client: AsyncClient, name: str) -> str:
    """Create a model; return its resource name."""
    request = metadata.CreateModelRequest(parent="namespaces/default", model_id=name)
    return (await client.metadata.CreateModel(request)).model.name


def registration(model: str, digest: str, request_id: str) -> metadata.RegisterModelVersionRequest:
    """Return a request for the next version of a model."""
    request = metadata.RegisterModelVersionRequest(parent=model, request_id=request_id)
    request.model_version.manifest_digest = digest
    return request
