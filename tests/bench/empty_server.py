"""An empty gRPC call: the flags and messages of a real service, and a handler that does nothing.

`python -m tests.bench.empty_server` prints its port.
"""

import asyncio

import grpc
import uvloop

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import (
    MetadataServiceServicer,
    add_MetadataServiceServicer_to_server,
)
from assay.metadata.v1.resources_pb2 import Model
from assay_serve import server

NAME = "namespaces/default/models/bench-00"
ANSWER = api.UpdateModelResponse(
    model=Model(
        name=NAME,
        etag='"1234567"',
        description="x" * 36,
    ),
    consistency_token="YXNzYXkxOjEyMzQ1Njc",  # noqa: S106 - a position, not a secret
)


class _Empty(MetadataServiceServicer):
    async def UpdateModel(  # noqa: N802 - the name of the rpc
        self, request: object, context: object
    ) -> api.UpdateModelResponse:
        return ANSWER


async def _main() -> None:
    served = grpc.aio.server(options=server._OPTIONS)
    add_MetadataServiceServicer_to_server(_Empty(), served)
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main())
