"""An empty gRPC call: the flags and messages of a real service, and a handler that does nothing.

`python -m tests.bench.empty_server` prints its port.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import uvloop

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model
from assay_serve import server

SERVICE = "assay.metadata.v1.MetadataService"
NAME = "namespaces/default/models/bench-00"
ANSWER = api.UpdateModelResponse(
    model=Model(
        name=NAME,
        etag='"1234567"',
        description="x" * 36,
    ),
    consistency_token="YXNzYXkxOjEyMzQ1Njc",
)


async def _answer(_request: api.UpdateModelRequest, _context: object) -> api.UpdateModelResponse:
    return ANSWER


@contextmanager
def running() -> Iterator[str]:
    """Run the server as a process of its own; give its address."""
    command = [sys.executable, "-m", "tests.bench.empty_server"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


async def _main() -> None:
    served = grpc.aio.server(options=server._OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(
        _answer,
        request_deserializer=api.UpdateModelRequest.FromString,
        response_serializer=api.UpdateModelResponse.SerializeToString,
    )
    served.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(SERVICE, {"UpdateModel": handler})]
    )
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
