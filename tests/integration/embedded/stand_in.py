"""A service that does nothing but say that it serves, and write down what it was told."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


async def serve() -> None:
    """Serve health on ASSAY_LISTEN until told to stop."""
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    status = health_pb2.HealthCheckResponse
    is_sick = os.environ["ASSAY_SERVICE"] == os.environ.get("ASSAY_LOG_LEVEL")
    await servicer.set("", status.NOT_SERVING if is_sick else status.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(os.environ["ASSAY_LISTEN"])
    await server.start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(1)


def main() -> int:
    """Do the verb of the command line: serve, fail, or leave a note of the environment."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "setup"
    if verb in os.environ.get("ASSAY_LOG_LEVEL", ""):
        print(f"cannot {verb} today", flush=True)
        return 3
    name = os.environ.get("ASSAY_SERVICE", "setup")
    Path(f"{name}-{verb}.env").write_text(json.dumps(dict(os.environ)))
    if verb == "serve":
        asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
