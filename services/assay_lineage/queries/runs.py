"""Runs as they were recorded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncpg import Record

from assay.lineage.v1.lineage_service_pb2 import ListRunsRequest
from assay_serve import paging
from assay_serve.filtering import Kind
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Connection

_COLUMNS = """
SELECT revision, name, create_time, creator, display_name, params, repository, commit,
    input_versions, start_time, end_time
FROM run
"""
GET_RUN = f"{_COLUMNS} WHERE name = $1"
LIST_RUNS = f"{_COLUMNS} WHERE namespace = $1"
METRICS = "SELECT * FROM run_metric WHERE run = ANY($1::text[]) ORDER BY run, place"
DATASETS = "SELECT * FROM run_dataset WHERE run = ANY($1::text[]) ORDER BY run, place"
OUTPUTS = """
SELECT from_node AS run, to_node AS version, min(revision) AS revision FROM edge
WHERE from_node = ANY($1::text[]) GROUP BY from_node, to_node ORDER BY revision, to_node
"""
_REVISION = Key("revision", Kind.INTEGER)
ORDERS = Orders({"revision": _REVISION}, default="revision desc", tie=_REVISION)


@dataclass(frozen=True, slots=True)
class RunRows:
    """All rows that make one run."""

    run: Record
    metrics: Sequence[Record]
    datasets: Sequence[Record]
    output_versions: Sequence[str]


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, and the token of the next page, empty on the last."""

    runs: Sequence[RunRows]
    next_page_token: str


async def find_run(db: Connection, name: str) -> RunRows | None:
    """Return one run."""
    run = await db.fetchrow(GET_RUN, name)
    if run is None:
        return None
    (whole,) = await _with_parts(db, [run])
    return whole


async def list_runs(db: Connection, namespace: str, request: ListRunsRequest) -> RunPage:
    """Return one page of the runs of a namespace, newest first."""
    page = await paging.fetch(db, LIST_RUNS, [namespace], request, ORDERS)
    return RunPage(await _with_parts(db, page.rows), page.next_page_token)


async def _with_parts(db: Connection, runs: Sequence[Record]) -> Sequence[RunRows]:
    names = [run["name"] for run in runs]
    metrics = _by_run(await db.fetch(METRICS, names))
    datasets = _by_run(await db.fetch(DATASETS, names))
    outputs = _by_run(await db.fetch(OUTPUTS, names))
    return [
        RunRows(
            run=run,
            metrics=metrics[run["name"]],
            datasets=datasets[run["name"]],
            output_versions=[output["version"] for output in outputs[run["name"]]],
        )
        for run in runs
    ]


def _by_run(rows: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        found[row["run"]].append(row)
    return found
