"""An empty gRPC call: the flags and messages of a real service, and a handler that does nothing.

`python -m tests.bench.empty_server` prints its port.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import uvloop
from google.protobuf.message import Message

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2 import DESCRIPTOR
from assay.metadata.v1.resources_pb2 import Model
from assay_serve import server
from assay_serve.identity import Identities
from assay_serve.interceptor import Interceptor

NAME = "namespaces/default/models/bench-00"
ANSWER = api.UpdateModelResponse(
    model=Model(
        name=NAME,
        etag='"1234567"',
        description="x" * 36,
    ),
    consistency_token="YXNzYXkxOjEyMzQ1Njc",
)


async def _answer(_request: Message, _context: object) -> api.UpdateModelResponse:
    return ANSWER


@contextmanager
def running(keys: str = "") -> Iterator[tuple[str, int]]:
    """Run the server as a process of its own; give its address and process id.

    With the path of trusted `keys`, Assay's own step stands around the handler.
    """
    command = [sys.executable, "-m", "tests.bench.empty_server", *([keys] if keys else [])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"127.0.0.1:{int(server.stdout.readline())}", server.pid
    finally:
        server.terminate()
        server.wait()


async def _main() -> None:
    service = DESCRIPTOR.services_by_name["MetadataService"]
    handler = grpc.unary_unary_rpc_method_handler(
        _answer,
        request_deserializer=api.UpdateModelRequest.FromString,
        response_serializer=api.UpdateModelResponse.SerializeToString,
    )
    if len(sys.argv) > 1:
        step = Interceptor(Identities(Path(sys.argv[1]), "metadata"))
        method = step.method(service.methods_by_name["UpdateModel"])
        handler = grpc.unary_unary_rpc_method_handler(step.unary(method, _answer))
    served = grpc.aio.server(options=server._OPTIONS)
    methods = {"UpdateModel": handler}
    served.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service.full_name, methods)]
    )
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
