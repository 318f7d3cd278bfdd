"""Whether a process of the stack does its work, asked from outside.

`python -m assay_serve.embedded.health PORT` asks a service on this machine, for a container.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from assay_serve.embedded import nats, objects, ports, postgres

Probe: TypeAlias = Callable[[], Awaitable[bool]]

_SECONDS = 2.0


def probe(name: str, port: int) -> Probe:
    """Return what asks the process `name` on `port` whether it does its work."""
    backends: dict[str, Callable[[int], bool]] = {
        "nats": nats.is_ready,
        "postgres": postgres.is_ready,
        "s3": objects.is_ready,
    }
    if name in backends:
        return lambda: asyncio.to_thread(backends[name], port)
    return lambda: is_serving(port)


async def is_serving(port: int) -> bool:
    """Say whether the gRPC server on `port` calls itself SERVING."""
    if not await asyncio.to_thread(ports.answers, port):
        return False  # a channel that was refused would wait a second before it tries again
    # Imported here: most of what the stack does needs no gRPC.
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    async with grpc.aio.insecure_channel(f"{ports.HOST}:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(is_serving(int(sys.argv[1]))) else 1)
