"""What a collector is sent: spans of sampled calls below the caller's, and a count of all calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_api
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_api
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

from assay.metadata.v1 import metadata_service_pb2 as api
from assay_serve.telemetry import Telemetry
from tests.integration.assay_serve.refused import refusal
from tests.integration.assay_serve.toy import create, running

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Traces(trace_grpc.TraceServiceServicer):
    """Keeps name, trace and parent of the spans that it is sent."""

    def __init__(self) -> None:
        self.spans = list[tuple[str, str, str]]()

    async def Export(  # noqa: N802 - the name of the rpc
        self, request: trace_api.ExportTraceServiceRequest, _: object
    ) -> trace_api.ExportTraceServiceResponse:
        self.spans += [
            (span.name, span.trace_id.hex(), span.parent_span_id.hex())
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return trace_api.ExportTraceServiceResponse()


class Metrics(metrics_grpc.MetricsServiceServicer):
    """Keeps how many calls it is told of, by status code."""

    def __init__(self) -> None:
        self.calls = dict[str, int]()

    async def Export(  # noqa: N802 - the name of the rpc
        self, request: metrics_api.ExportMetricsServiceRequest, _: object
    ) -> metrics_api.ExportMetricsServiceResponse:
        for resource in request.resource_metrics:
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in metric.histogram.data_points:
                    values = {item.key: item.value.string_value for item in point.attributes}
                    self.calls[values["rpc.grpc.status_code"]] = point.count
        return metrics_api.ExportMetricsServiceResponse()


@dataclass(frozen=True, slots=True)
class Collected:
    """What was sent until the end of the block."""

    telemetry: Telemetry
    traces: Traces
    metrics: Metrics


@asynccontextmanager
async def collecting() -> AsyncIterator[Collected]:
    """Run a collector; it has everything once the block has ended."""
    traces, metrics, collector = Traces(), Metrics(), grpc.aio.server()
    trace_grpc.add_TraceServiceServicer_to_server(traces, collector)  # type: ignore[no-untyped-call]
    metrics_grpc.add_MetricsServiceServicer_to_server(metrics, collector)  # type: ignore[no-untyped-call]
    port = collector.add_insecure_port("127.0.0.1:0")
    await collector.start()
    telemetry = Telemetry("metadata", f"http://127.0.0.1:{port}")
    yield Collected(telemetry, traces, metrics)
    await asyncio.to_thread(telemetry.close)
    await collector.stop(0)


async def test_sampled_calls_become_spans_and_all_calls_are_counted(tmp_path: Path) -> None:
    async with collecting() as collected, running(tmp_path, collected.telemetry) as toy:
        for flags in ("01", "00"):
            trace = (("traceparent", f"00-{TRACE_ID}-{SPAN_ID}-{flags}"),)
            await toy.stub.CreateModel(create(), metadata=(*toy.as_user, *trace))
        await refusal(toy.stub.CreateModel(create(), timeout=30))
    method = "/assay.metadata.v1.MetadataService/CreateModel"
    assert collected.traces.spans == [(method, TRACE_ID, SPAN_ID)]
    assert collected.metrics.calls == {"OK": 2, "UNAUTHENTICATED": 1}


async def test_a_stream_of_requests_counts_as_one_call(tmp_path: Path) -> None:
    async with collecting() as collected, running(tmp_path, collected.telemetry) as toy:
        right = api.ImportRequest(model="m", import_id="i", items=[api.ImportItem()])
        for requests in ([right, right], [right, api.ImportRequest()]):
            call = toy.stub.Import(iter(requests), metadata=toy.as_user)
            with suppress(grpc.aio.AioRpcError):
                assert [answer async for answer in call]
    assert collected.metrics.calls == {"OK": 1, "INVALID_ARGUMENT": 1}
