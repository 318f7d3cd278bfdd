"""The metadata service without projector and stream: it serves a read model as it was made.

`python -m tests.bench.search_server DSN KEYS REVISION` prints its port; KEYS is a folder.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from assay_events.commands import Commands
from assay_events.memory import MemoryStore
from assay_events.position import Position
from assay_metadata.main import wire
from assay_serve.embedded import identity
from assay_serve.identity import Identities
from assay_serve.interceptor import Interceptor
from assay_serve.peers import PeerChannels
from assay_serve.postgres import Reads, open_pool
from assay_serve.rights import Rights
from assay_serve.runtime import Runtime
from assay_serve.server import Server
from assay_serve.settings import Settings
from tests.support import mtls
from tests.support.scribe import DEPLOYMENT, OWNER


@contextmanager
def running(dsn: str, keys: Path, revision: int) -> Iterator[tuple[str, int]]:
    """Run the server as a process of its own; give its address and process id."""
    identity.make(keys)
    command = [sys.executable, "-m", "tests.bench.search_server", dsn, str(keys), str(revision)]
    environ = {**os.environ, "ASSAY_LOG_LEVEL": "WARNING"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
    try:
        assert server.stdout is not None
        port = next(line for line in server.stdout if line.strip().isdecimal())
        yield f"127.0.0.1:{int(port)}", server.pid
    finally:
        server.terminate()
        server.wait()


async def _main(dsn: str, keys: Path, revision: int) -> None:
    settings = Settings.from_environ(
        {
            "ASSAY_SERVICE": "metadata",
            "ASSAY_LISTEN": "127.0.0.1:0",
            "ASSAY_NATS_URL": "nats://127.0.0.1:1",
            "ASSAY_NATS_USER": "nobody",
            "ASSAY_NATS_PASSWORD": "nothing",
            "ASSAY_POSTGRES_URL": dsn,
            "ASSAY_DEPLOYMENT": DEPLOYMENT,
            "ASSAY_OWNER": OWNER,
            "ASSAY_JWKS": str(keys / identity.TRUSTED),
            "ASSAY_SERVICE_KEY": str(identity.service_key(keys, "metadata")),
            **mtls.environ(keys, "metadata"),
        }
    )
    store, position = MemoryStore(), Position()
    position.advance(revision)
    runtime = Runtime(
        settings=settings,
        store=store,
        commands=Commands(store, context="metadata", deployment=DEPLOYMENT),
        reads=Reads(await open_pool(dsn, "metadata"), position, store),
        position=position,
        peers=PeerChannels(
            "metadata", DEPLOYMENT, settings.service_key, mtls.certificate(keys, "metadata"), {}
        ),
        rights=Rights(store, DEPLOYMENT, f"principals/{OWNER}"),
    )
    interceptor = Interceptor(Identities(settings.jwks, "metadata"))
    server = Server(settings.listen, wire(runtime).bindings, interceptor)
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
