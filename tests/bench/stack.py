"""A running stack and plain channels to it: the SDK's own work is not part of the figures."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

import grpc

from assay import credentials
from assay.folder import DataFolder
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model
from assay_events.connection import Address, Connection
from assay_serve.embedded import data_folder
from assay_serve.embedded.credentials import Secrets, load
from tests.bench.harness import Call

if TYPE_CHECKING:  # the stub of a channel of grpc.aio is there for types only
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

Identity: TypeAlias = tuple[tuple[str, str], ...]
CHANNELS = 8
_ROOT = Path(__file__).parents[2]
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack."""

    data: Path
    endpoints: Mapping[str, str]
    start_seconds: float

    @property
    def secrets(self) -> Secrets:
        """Passwords of its parts."""
        return load(data_folder.find(self.data))

    @property
    def identity(self) -> Identity:
        """Metadata of a call as the local owner."""
        token = credentials.find(DataFolder.find(self.data))()
        return (("authorization", f"Bearer {token}"),)

    @asynccontextmanager
    async def bus(self, service: str) -> AsyncIterator[Connection]:
        """Give a connection to the event store as a service has it."""
        url = f"nats://{self.endpoints['nats']}"
        connection = await Connection.open(Address(url, service, self.secrets.nats[service]))
        try:
            yield connection
        finally:
            await connection.close()


@contextmanager
def running(data: Path, modules: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Run the stack, or what `modules` names of it, for the length of the block."""
    environ = {**os.environ, "PYTHONPATH": str(_ROOT), "ASSAY_LOG_LEVEL": "WARNING"}
    if modules is not None:
        environ["ASSAY_MODULES"] = json.dumps(dict(modules))
    begun = time.monotonic()
    try:
        up = _embedded("up", data, environ)
        seconds = time.monotonic() - begun
        yield Stack(data, json.loads(up)["endpoints"], seconds)
    finally:
        _embedded("down", data, environ)


@asynccontextmanager
async def stubs(address: str) -> AsyncIterator[Callable[[], "MetadataServiceAsyncStub"]]:
    """Give a function that returns a stub of the next of several connections."""
    channels = [grpc.aio.insecure_channel(address, options=_OPTIONS) for _ in range(CHANNELS)]
    turn = itertools.cycle([MetadataServiceStub(channel) for channel in channels])
    try:
        yield lambda: next(turn)
    finally:
        for channel in channels:
            await channel.close()


@asynccontextmanager
async def updating(address: str, identity: Identity, names: Sequence[str]) -> AsyncIterator[Call]:
    """Give what changes the next of some models at `address`."""
    turn = itertools.cycle(names)
    async with stubs(address) as stub:

        async def update() -> None:
            model = Model(name=next(turn), description=str(uuid4()))
            request = api.UpdateModelRequest(model=model, request_id=str(uuid4()))
            request.update_mask.paths.append("description")
            await stub().UpdateModel(request, metadata=identity, timeout=30)

        yield update


def _embedded(verb: str, data: Path, environ: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "assay_serve.embedded", verb, "--data", str(data), "--json"]
    done = subprocess.run(
        command, env=dict(environ), stdout=subprocess.PIPE, text=True, check=False, cwd=_ROOT
    )
    if done.returncode:
        raise RuntimeError(done.stdout)
    return done.stdout
