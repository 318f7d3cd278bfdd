"""The gRPC server of a service: handlers, health and reflection, at each of its ports."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from assay_serve.interceptor import Interceptor

MAX_REQUEST_BYTES = 16 * 1024 * 1024
DRAIN_SECONDS = 5.0
_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 1),
)

Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"
log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Binding:
    """A service by its full proto name, and the object whose methods answer its calls."""

    service: str
    servicer: object


class Server:
    """Serves bindings at one address; says it is not serving until told otherwise."""

    def __init__(self, address: str, bindings: Sequence[Binding], interceptor: Interceptor) -> None:
        self._names = tuple(binding.service for binding in bindings)
        self._health = health_aio.HealthServicer()
        self._server = grpc.aio.server(options=_OPTIONS)
        handlers = [_handlers(binding, interceptor) for binding in bindings]
        self._server.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)
        self.port = self._server.add_insecure_port(address)
        self._is_ready: bool | None = None

    def add_internal_port(self, address: str, credentials: grpc.ServerCredentials) -> int:
        """Serve other services too, at a port of their own; return it."""
        return self._server.add_secure_port(address, credentials)

    async def start(self) -> None:
        """Answer calls, with health NOT_SERVING."""
        await self.set_ready(is_ready=False)
        await self._server.start()
        log.info("server.started", port=self.port, services=self._names, pid=os.getpid())

    async def set_ready(self, *, is_ready: bool) -> None:
        """Say in the health service whether all parts of the service are up."""
        if is_ready is self._is_ready:
            return
        self._is_ready = is_ready
        serving, not_serving = _SERVING
        for name in ("", *self._names):
            await self._health.set(name, serving if is_ready else not_serving)
        log.info("server.health", is_ready=is_ready)

    async def stop(self) -> None:
        """Take no new calls, and let running ones end within DRAIN_SECONDS."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(DRAIN_SECONDS)
        log.info("server.stopped")


_SERVING = (
    health_pb2.HealthCheckResponse.ServingStatus.SERVING,
    health_pb2.HealthCheckResponse.ServingStatus.NOT_SERVING,
)


def _handlers(binding: Binding, interceptor: Interceptor) -> grpc.GenericRpcHandler:
    service: ServiceDescriptor = descriptor_pool.Default().FindServiceByName(binding.service)
    methods: dict[str, Handler] = {}
    for descriptor in service.methods:
        method = interceptor.method(descriptor)
        handler = getattr(binding.servicer, descriptor.name)
        if descriptor.client_streaming and not descriptor.server_streaming:
            raise TypeError(f"Answer each request of {method.path}: it is a stream.")
        if descriptor.client_streaming:
            exchange = interceptor.exchange(method, handler)
            methods[descriptor.name] = grpc.stream_stream_rpc_method_handler(exchange)
        elif descriptor.server_streaming:
            stream = interceptor.stream(method, handler)
            methods[descriptor.name] = grpc.unary_stream_rpc_method_handler(stream)
        else:
            unary = interceptor.unary(method, handler)
            methods[descriptor.name] = grpc.unary_unary_rpc_method_handler(unary)
    return grpc.method_handlers_generic_handler(service.full_name, methods)
