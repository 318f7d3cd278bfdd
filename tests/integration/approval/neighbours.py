"""Metadata and lineage in small: they know the versions, models and runs that a test says."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from assay.lineage.v1.lineage_service_pb2 import GetRunRequest, GetRunResponse
from assay.lineage.v1.resources_pb2 import Run
from assay.metadata.v1.metadata_service_pb2 import (
    GetModelRequest,
    GetModelResponse,
    GetModelVersionRequest,
    GetModelVersionResponse,
)
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from tests.support import mtls

_Request = TypeVar("_Request", GetModelVersionRequest, GetModelRequest, GetRunRequest)
_Response = TypeVar("_Response", bound=Message)
_Method: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Neighbours:
    """What they know, and the tokens that they were asked with."""

    def __init__(self) -> None:
        self.known: dict[str, ModelVersion] = {}
        self.models: dict[str, Model] = {}
        self.runs: dict[str, Run] = {}
        self.tokens: list[str] = []
        self.is_away = False
        self.next: dict[str, dict[str, ModelVersion]] = {}  # known once a version was asked for

    def version(
        self, request: GetModelVersionRequest, context: grpc.ServicerContext
    ) -> GetModelVersionResponse:
        self._called(context)
        self.tokens.append(request.at_least_as_fresh)
        known = self.known.get(request.name)
        self.known |= self.next.pop(request.name, {})
        if known is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such version")
        return GetModelVersionResponse(model_version=known)

    def model(self, request: GetModelRequest, context: grpc.ServicerContext) -> GetModelResponse:
        """Return a model, one that says nothing where a test says nothing of it."""
        self._called(context)
        return GetModelResponse(model=self.models.get(request.name, Model(name=request.name)))

    def run(self, request: GetRunRequest, context: grpc.ServicerContext) -> GetRunResponse:
        self._called(context)
        if request.name not in self.runs:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such run")
        return GetRunResponse(run=self.runs[request.name])

    @contextmanager
    def serving(self, identities: Path) -> Iterator[dict[str, str]]:
        """Serve, with the certificates of both; give their addresses."""
        server = grpc.server(ThreadPoolExecutor(16))
        metadata: dict[str, _Method] = {
            "GetModelVersion": _method(self.version, GetModelVersionRequest),
            "GetModel": _method(self.model, GetModelRequest),
        }
        lineage: dict[str, _Method] = {"GetRun": _method(self.run, GetRunRequest)}
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler("assay.metadata.v1.MetadataService", metadata),
                grpc.method_handlers_generic_handler("assay.lineage.v1.LineageService", lineage),
            )
        )
        addresses = dict[str, str]()
        for name in ("metadata", "lineage"):
            credentials = mtls.server_credentials(identities, name)
            port = server.add_secure_port("127.0.0.1:0", credentials)
            addresses[name] = f"127.0.0.1:{port}"
        server.start()
        try:
            yield addresses
        finally:
            server.stop(None)

    def _called(self, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata())
        assert str(metadata["authorization"]).startswith("Bearer ")
        if self.is_away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")


def _method(
    behaviour: Callable[[_Request, grpc.ServicerContext], _Response], request: type[_Request]
) -> _Method:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )
