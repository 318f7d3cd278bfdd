"""A simulation over many past approvals, and the inbox, lists and history of as many."""

import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from unittest.mock import patch

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Condition, PolicySpec
from assay_approval import projection
from assay_approval.projection import APPROVAL
from assay_approval.service.approval import ApprovalService
from assay_events.rebuild import Rebuilder
from assay_serve.embedded import postgres
from assay_serve.postgres import open_pool
from tests.bench.approval_log import MODELS, SPACE, Log, approval
from tests.bench.harness import Bench, Ratio
from tests.bench.search_times import Times
from tests.integration.approval.in_process import call, serving
from tests.support.scribe import DEPLOYMENT
from tests.unit.assay_approval.people import ANN, EVE

QUICK, USUAL, LONG = 5_000, 111_112, 300_000
BAR_MS = 50.0
_CONDITION = Condition(id="auc", expression='version.metrics["auc"] >= 0.5')
_LISTS: Mapping[str, Callable[[int], str]] = {
    "inbox of a person": lambda _: f'waiting_for = "{EVE.name}"',
    "open": lambda _: "state = OPEN",
    "granted": lambda _: "state = GRANTED",
    "of a version": lambda n: f'version = "{SPACE}/models/model-{n % MODELS:04}/versions/1"',
    "of a target": lambda n: f'target = "{SPACE}/models/model-{n % MODELS:04}/stages/production"',
    "asked for by a person": lambda _: f'submitter = "{ANN.name}"',
    "asked for by nobody": lambda n: f'submitter = "principals/{n}"',
    "rejected": lambda _: "state = REJECTED",
}


async def run(bench: Bench) -> list[Ratio]:
    """Make the read model by a rebuild that takes signatures on trust, then ask the handlers."""
    count = QUICK if bench.is_quick else LONG if bench.is_long else USUAL
    log, begun = Log(count), time.monotonic()
    await log.found()
    with postgres.running(bench.scratch("postgres")) as database:
        dsn = database.url("approval")
        rebuilder = Rebuilder(log, dsn, APPROVAL, DEPLOYMENT)
        await rebuilder.prepare()
        with patch.object(projection, "covered", return_value="not verified"):
            last = await rebuilder.rebuild()
        bench.say(f"  {last:,} events made and projected in {time.monotonic() - begun:.0f} s")
        async with serving(log, await open_pool(dsn, "approval")) as service:
            ratios = [await _simulation(bench, service, PolicySpec(quorum=3), "one more signer")]
            harder = PolicySpec(quorum=2, conditions=[_CONDITION])
            ratios.append(await _simulation(bench, service, harder, "a condition more"))
            return ratios + await _reads(bench, service, count)


async def _simulation(bench: Bench, service: ApprovalService, spec: PolicySpec, what: str) -> Ratio:
    spec.models.append("*")
    spec.stages.append("production")
    request = api.SimulatePolicyRequest(parent=SPACE, policy_id="production", spec=spec)
    begun = time.perf_counter()
    answer = await service.SimulatePolicy(request, call())
    seconds = time.perf_counter() - begun
    count, flips = answer.approval_count, answer.flip_count
    bench.say(f"  simulation, {what}: {count:,} in {seconds:.1f} s, {flips:,} flip")
    note = f"{seconds / count * 1e6:.0f} us each, {flips:,} flip"
    return Ratio(f"simulation of {count:,} decisions, {what}", seconds, "s", note=note)


async def _reads(bench: Bench, service: ApprovalService, count: int) -> list[Ratio]:
    asks: dict[str, Callable[[int], Awaitable[object]]] = {
        f"list of 50: {name}": _list(service, of) for name, of in _LISTS.items()
    }
    asks["history of one approval"] = _get(service, count)
    return [await _timed(bench, name, ask) for name, ask in asks.items()]


def _list(service: ApprovalService, of: Callable[[int], str]) -> Callable[[int], Awaitable[object]]:
    def ask(number: int) -> Awaitable[object]:
        request = api.ListApprovalsRequest(parent=SPACE, page_size=50, filter=of(number))
        return service.ListApprovals(request, call())

    return ask


def _get(service: ApprovalService, count: int) -> Callable[[int], Awaitable[object]]:
    def ask(number: int) -> Awaitable[object]:
        request = api.GetApprovalRequest(name=approval(number * 7919 % count))
        return service.GetApproval(request, call())

    return ask


async def _timed(bench: Bench, name: str, ask: Callable[[int], Awaitable[object]]) -> Ratio:
    times, until, numbers = Times(), time.monotonic() + bench.seconds * 4, itertools.count(1)
    while not times.is_enough and (time.monotonic() < until or len(times.taken) < 5):
        await times.time(lambda: ask(next(numbers)))
    bench.say(f"  {name}: {times}")
    note = f"p50 {times.at(0.5):.1f} ms"
    return Ratio(f"{name}, p99", times.at(0.99), "ms", BAR_MS, "ms", at_most=1.0, note=note)
