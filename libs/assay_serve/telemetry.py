"""What operators see: JSON logs on stderr, and traces and metrics where a collector is named."""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
)
from structlog.typing import EventDict, Processor

from assay_serve.call import Call

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


def log_as_json(service: str, level: str = "") -> None:
    """Send all logs to stderr, one JSON object a line, each with the service's name.

    `level` is the least to be logged, as in warning; any other word means info.
    """
    least = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)

    def name(_: object, __: str, event: EventDict) -> EventDict:
        return {"service": service, **event}

    processors: list[Processor] = [
        name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer(sort_keys=True)
    structlog.configure(
        processors=[*processors, render],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=least, force=True)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A parsed W3C `traceparent`; `text` is empty where none, or none that is valid, came."""

    text: str = ""
    is_sampled: bool = False


def parse_traceparent(text: str) -> TraceContext:
    """Return the trace context in `text`; a malformed one counts as none."""
    found = _TRACEPARENT.match(text)
    if found is None or found[1] == _NO_TRACE or found[2] == _NO_SPAN:
        return TraceContext()
    return TraceContext(text, bool(int(found[3], 16) & TraceFlags.SAMPLED))


class Telemetry:
    """Spans for sampled calls and a histogram of all calls, sent by OTLP; made only when wanted."""

    def __init__(self, service: str, endpoint: str) -> None:
        resource = Resource.create({"service.name": f"assay-{service}"})
        self._traces = TracerProvider(resource=resource)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint))
        self._metrics = MeterProvider(metric_readers=[reader], resource=resource)
        self._tracer: Tracer = self._traces.get_tracer("assay")
        self._duration: Histogram = self._metrics.get_meter("assay").create_histogram(
            "rpc.server.duration", unit="ms", description="Time from request to answer."
        )

    def record(self, method: str, code: str, started: float) -> None:
        """Count one finished call that began at `started` on the clock of `time.monotonic`."""
        elapsed = (time.monotonic() - started) * 1000
        self._duration.record(elapsed, {"rpc.method": method, "rpc.grpc.status_code": code})

    @contextmanager
    def span(self, call: Call, parent: TraceContext) -> Iterator[Call]:
        """Yield `call` within a new span below `parent`."""
        context = trace.set_span_in_context(NonRecordingSpan(_span_context(parent)))
        span = self._tracer.start_span(call.method, context, kind=SpanKind.SERVER)
        own = span.get_span_context()
        traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
        try:
            yield replace(call, traceparent=traceparent)
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Send what is still kept."""
        self._traces.shutdown()
        self._metrics.shutdown()


def _span_context(parent: TraceContext) -> SpanContext:
    _, trace_id, span_id, flags = parent.text.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
