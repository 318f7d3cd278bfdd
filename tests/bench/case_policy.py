"""What policy conditions cost: compiling, evaluating, reading inputs; beside cel-python."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from assay_approval.cel import compiled
from assay_approval.conditions import Inputs, compile_condition
from tests.bench.harness import Bench, Measure, Ratio
from tests.unit.assay_approval import conditions_in_cel_python as peer
from tests.unit.assay_approval import conditions_sample as sample

_T = TypeVar("_T")
_EVALUATIONS = 1_000
_COMPILATIONS = 200
_PEER = 50  # it takes some hundred times as long
_EXPRESSIONS = sample.SATISFIED


async def run(bench: Bench) -> list[Ratio]:
    """Let both libraries take turns over the same conditions of the same version."""
    inputs = sample.inputs()
    conditions = [compile_condition("it", expression) for expression in _EXPRESSIONS]
    programs = [peer.program(expression) for expression in _EXPRESSIONS]
    context, data = peer.context(inputs), inputs.to_bytes()
    found = await bench.interleave(
        {
            "evaluate": _rate(_EVALUATIONS, [_of(c.evaluate, inputs) for c in conditions]),
            "evaluate, cel-python": _rate(_PEER, [_of(p.evaluate, context) for p in programs]),
            "compile": _rate(_COMPILATIONS, [_of(_compile, text) for text in _EXPRESSIONS]),
            "compile, cel-python": _rate(_PEER, [_of(peer.program, e) for e in _EXPRESSIONS]),
            "read inputs": _rate(_COMPILATIONS, [_of(Inputs.from_bytes, data)]),
        }
    )
    return [
        _beside("evaluate a condition of the sample", "evaluate", found),
        _beside("compile a condition, checks and all", "compile", found),
        Ratio(f"read and check inputs of {len(data)} bytes", found["read inputs"], "/s"),
    ]


def _compile(expression: str) -> object:
    """Compile anew what is kept otherwise."""
    return compiled.ready.__wrapped__(expression)


def _of(call: Callable[[_T], object], argument: _T) -> Callable[[], object]:
    return lambda: call(argument)


def _rate(times: int, calls: Sequence[Callable[[], object]]) -> Measure:
    """Return what tells how many calls a second are made, each of `calls` in turn."""

    async def measure() -> float:
        begun = time.perf_counter()
        for call in itertools.islice(itertools.cycle(calls), times):
            call()
        return times / (time.perf_counter() - begun)

    return measure


def _beside(what: str, side: str, found: Mapping[str, float]) -> Ratio:
    return Ratio(what, found[side], "/s", found[f"{side}, cel-python"], "/s, cel-python")
