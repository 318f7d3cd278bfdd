"""Trace contexts are read as W3C says; spans are children of the caller's."""

import pytest

from assay.type.v1.actor_pb2 import Actor
from assay_serve.call import Call
from assay_serve.telemetry import Telemetry, TraceContext, parse_traceparent

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def test_a_sampled_and_an_unsampled_context_are_told_apart() -> None:
    assert parse_traceparent(SAMPLED) == TraceContext(SAMPLED, is_sampled=True)
    assert parse_traceparent(UNSAMPLED) == TraceContext(UNSAMPLED, is_sampled=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        SAMPLED.upper(),
        f"{SAMPLED}-00",
        f"{SAMPLED}\n",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_a_malformed_context_counts_as_none(text: str) -> None:
    assert parse_traceparent(text) == TraceContext()


def test_a_span_goes_on_with_the_callers_trace() -> None:
    telemetry = Telemetry("metadata", "http://127.0.0.1:1")
    call = Call("/a/B", Actor(), 0.0, SAMPLED)
    with telemetry.span(call, parse_traceparent(SAMPLED)) as traced:
        own = parse_traceparent(traced.traceparent)
    assert own.is_sampled
    assert own.text.split("-")[1] == SAMPLED.split("-")[1]
    assert own.text.split("-")[2] != SAMPLED.split("-")[2]
