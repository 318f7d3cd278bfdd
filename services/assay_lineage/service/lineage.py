"""Lineage over gRPC: runs are recorded and read, the graph is walked."""

from assay.error.v1.error_reason_pb2 import Reason
from assay.lineage.v1.events_pb2 import RunRecorded
from assay.lineage.v1.lineage_service_pb2 import (
    GetRunRequest,
    GetRunResponse,
    ListDownstreamRequest,
    ListDownstreamResponse,
    ListRunsRequest,
    ListRunsResponse,
    ListUpstreamRequest,
    ListUpstreamResponse,
    RecordRunRequest,
    RecordRunResponse,
)
from assay.lineage.v1.lineage_service_pb2_grpc import LineageServiceServicer
from assay.lineage.v1.resources_pb2 import Run
from assay.names import MalformedName, NamespaceName, RunName, VersionName
from assay_events.commands import Commands
from assay_events.decider import AlreadyExists, Invalid, NotFound
from assay_events.ids import derived_id
from assay_lineage.domain.run import RUN, Record
from assay_lineage.ports import Registry
from assay_lineage.queries import graph, runs
from assay_lineage.service.messages import edges_of, nodes_of, run_of_event, run_of_rows
from assay_serve.call import Context, intent
from assay_serve.postgres import LATEST, Reads, Snapshot

DEFAULT_DEPTH = 10
MOST_DEPTH = 100


class LineageService(LineageServiceServicer):
    """Records runs on the stream; answers questions from the tables."""

    def __init__(self, commands: Commands, reads: Reads, registry: Registry) -> None:
        """Record through `commands`, read from `reads`, ask `registry` what there is."""
        self._commands = commands
        self._reads = reads
        self._registry = registry

    async def RecordRun(self, request: RecordRunRequest, context: Context) -> RecordRunResponse:
        """Record a run whose namespace and versions are there."""
        parent = NamespaceName.parse(request.parent)
        asked = intent(request, context)
        name = RunName(parent.namespace, derived_id(str(parent), asked.request_id))
        if not await self._commands.is_recorded(RUN, str(name), asked.request_id):
            await self._registry.check(parent, _versions(request.run))
        command = Record(name, request.run)
        done = await self._commands.handle(RUN, str(name), command, asked)
        recorded = done.first(RunRecorded)
        if recorded is None or not isinstance(recorded.event, RunRecorded):
            raise AlreadyExists(str(name))
        return RecordRunResponse(
            run=run_of_event(recorded, recorded.event), consistency_token=done.token
        )

    async def GetRun(self, request: GetRunRequest, context: Context) -> GetRunResponse:
        """Return one run."""
        name = str(RunName.parse(request.name))
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            found = await runs.find_run(snapshot.db, name)
        if found is None:
            raise NotFound(name)
        return GetRunResponse(run=run_of_rows(found), consistency_token=snapshot.token)

    async def ListRuns(self, request: ListRunsRequest, context: Context) -> ListRunsResponse:
        """Return one page of the runs of a namespace, newest first."""
        parent = str(NamespaceName.parse(request.parent))
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            page = await runs.list_runs(snapshot.db, parent, request)
        return ListRunsResponse(
            runs=[run_of_rows(rows) for rows in page.runs],
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def ListUpstream(
        self, request: ListUpstreamRequest, context: Context
    ) -> ListUpstreamResponse:
        """Return what a node was made from."""
        depth = _depth(request.depth)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            await _check_node(snapshot, request.name)
            walk = await graph.walk_upstream(snapshot.db, request.name, depth, snapshot.revision)
        return ListUpstreamResponse(
            nodes=nodes_of(walk),
            edges=edges_of(walk),
            consistency_token=snapshot.token,
            truncated=walk.is_truncated,
        )

    async def ListDownstream(
        self, request: ListDownstreamRequest, context: Context
    ) -> ListDownstreamResponse:
        """Return what was made from a node."""
        depth = _depth(request.depth)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            await _check_node(snapshot, request.name)
            walk = await graph.walk_downstream(snapshot.db, request.name, depth, snapshot.revision)
        return ListDownstreamResponse(
            nodes=nodes_of(walk),
            edges=edges_of(walk),
            consistency_token=snapshot.token,
            truncated=walk.is_truncated,
        )


def _versions(run: Run) -> list[VersionName]:
    """Return each version that went in or came out; refuse names that are none."""
    found: list[VersionName] = []
    for field, names in (
        ("run.input_versions", run.input_versions),
        ("run.output_versions", run.output_versions),
    ):
        try:
            found += [VersionName.parse(name) for name in names]
        except MalformedName as error:
            raise Invalid(Reason.REASON_MALFORMED, str(error), field) from error
    return found


def _depth(asked: int) -> int:
    if not 0 <= asked <= MOST_DEPTH:
        text = f"Ask for a depth from 1 to {MOST_DEPTH}, or 0 for {DEFAULT_DEPTH}."
        raise Invalid(Reason.REASON_MALFORMED, text, "depth")
    return asked or DEFAULT_DEPTH


async def _check_node(snapshot: Snapshot, name: str) -> None:
    if not await graph.is_node(snapshot.db, name, snapshot.revision):
        raise NotFound(name, "The graph knows runs, versions, and what they were made from.")
