"""What identity, checks and errors cost: CPU of a server with Assay's step, against one without."""

from tests.bench import empty_server, stack
from tests.bench.harness import Bench, Call, Measure, Ratio, rate
from tests.bench.machine import cpu_seconds
from tests.integration.assay_serve.toy import Trust

_IN_FLIGHT = 32
_NAMES = [f"namespaces/default/models/bench-{number}" for number in range(100)]
_MICRO = 1_000_000


async def run(bench: Bench) -> list[Ratio]:
    """Let the same calls go to both servers in turns."""
    trust = Trust(bench.scratch("keys"))
    trust.write()
    identity = (("authorization", f"Bearer {trust.user()}"),)
    with empty_server.running() as plain, empty_server.running(str(trust.jwks)) as whole:
        async with (
            stack.updating(plain[0], identity, _NAMES) as to_plain,
            stack.updating(whole[0], identity, _NAMES) as to_whole,
        ):
            found = await bench.interleave(
                {
                    "plain us": _cpu_us(to_plain, plain[1], bench.seconds),
                    "whole us": _cpu_us(to_whole, whole[1], bench.seconds),
                }
            )
    return [
        Ratio(
            "CPU a call: identity, checks, errors and deadline around an empty handler",
            found["whole us"],
            "us",
            found["plain us"],
            "us, an empty handler alone",
            at_most=1.25,
        )
    ]


def _cpu_us(call: Call, pid: int, seconds: float) -> Measure:
    """Return what tells the CPU that the server `pid` takes for a call."""

    async def measure() -> float:
        before = cpu_seconds(pid)
        calls = await rate(call, _IN_FLIGHT, seconds) * seconds
        return (cpu_seconds(pid) - before) / calls * _MICRO

    return measure
