"""What happened to any resource, and what is different between two moments."""

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import DiffRequest, ListHistoryRequest
from assay.metadata.v1.resources_pb2 import FieldChange, HistoryEntry
from assay.names import ModelName, NamespaceName
from assay_events.decider import NotFound
from assay_metadata.queries import history, models, namespaces
from assay_serve import paging
from assay_serve.filter_parser import EVERYTHING
from assay_serve.paging import Key, Orders, Search
from assay_serve.postgres import Snapshot

OF_MODEL = f"{history.SELECT_HISTORY} AND e.resource = $3"
# "0" follows "/" in the order of code points.
OF_NAMESPACE = """(e.model = {name} OR (e.model COLLATE "C" > {name} || '/'
    AND e.model COLLATE "C" < {name} || '0'))"""
ALL_OF_NAMESPACE = (
    history.SELECT_HISTORY.replace("e.model = $2", OF_NAMESPACE.format(name="$2")) + " AND true"
)
# The first value before and the last value afterwards; what came back to what it was is no change.
CHANGED = """
SELECT d.resource, d.field, d.previous_value, d.value FROM (
    SELECT e.resource, c.change->>0 AS field,
           (array_agg(c.change->>1 ORDER BY e.revision))[1] AS previous_value,
           (array_agg(c.change->>2 ORDER BY e.revision DESC))[1] AS value
    FROM history e, jsonb_array_elements(e.field_changes) c(change)
    WHERE e.revision > $2 AND e.revision <= $1 AND {which}
    GROUP BY e.resource, c.change->>0
) d WHERE d.previous_value <> d.value
"""
DIFFERENCES = Orders({"resource": Key("d.resource")}, default="resource", tie=Key("d.field"))


async def history_page(
    snapshot: Snapshot, name: str, request: ListHistoryRequest
) -> tuple[list[HistoryEntry], str]:
    """Return one page of what happened to a resource and below it, and the token of the next."""
    parts = name.split("/")
    model = "/".join(parts[:4])
    arguments: list[object] = [snapshot.revision, model]
    select = history.SELECT_HISTORY
    if len(parts) == len(("namespaces", "NAME")):
        select = ALL_OF_NAMESPACE
    elif name != model:
        select, arguments = OF_MODEL, [*arguments, name]
    found = await paging.fetch(snapshot.db, select, arguments, request, history.NEWEST_FIRST)
    if not found.rows:
        await _require(snapshot, name)
        if name != model:
            raise NotFound(name)
    return [history.to_message(row) for row in found.rows], found.next_page_token


async def difference_page(
    snapshot: Snapshot, from_revision: int, name: str, request: DiffRequest
) -> tuple[list[FieldChange], str]:
    """Return one page of what differs between a revision and the snapshot's."""
    is_namespace = len(name.split("/")) == len(("namespaces", "NAME"))
    which = OF_NAMESPACE.format(name="$3") if is_namespace else "e.model = $3"
    found = await paging.fetch(
        snapshot.db,
        CHANGED.format(which=which),
        [snapshot.revision, from_revision, name],
        request,
        DIFFERENCES,
        search=Search(snapshot.revision, EVERYTHING, "SELECT p.* FROM ({page}) p"),
    )
    if not found.rows:
        await _require(snapshot, name)
    return [_to_change(row) for row in found.rows], found.next_page_token


async def _require(snapshot: Snapshot, name: str) -> None:
    parts = name.split("/")
    if len(parts) == len(("namespaces", "NAME")):
        await namespaces.get(snapshot, NamespaceName.parse(name))
    else:
        await models.require(snapshot, ModelName.parse("/".join(parts[:4])))


def _to_change(row: asyncpg.Record) -> FieldChange:
    return FieldChange(
        resource=row["resource"],
        field=row["field"],
        previous_value=row["previous_value"],
        value=row["value"],
    )
