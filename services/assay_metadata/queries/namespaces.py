"""Namespaces, as the read model knows them."""

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import ListNamespacesRequest
from assay.metadata.v1.resources_pb2 import Namespace
from assay.names import NamespaceName
from assay_events.decider import NotFound
from assay_metadata.queries import stage_graphs
from assay_serve import paging
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Snapshot

# What changed it last, if anything did, is its stage graph.
SELECT_NAMESPACE = f"""
SELECT n.name, n.description, n.create_time, coalesce(c.from_revision, n.revision) AS revision,
       coalesce(c.time, n.create_time) AS update_time,
       {stage_graphs.rules_of("n.name")} AS stage_rules
FROM namespace n LEFT JOIN stage_graph c ON c.name = n.name
    AND c.from_revision <= $1 AND c.to_revision > $1
WHERE n.revision <= $1
"""  # noqa: S608 - put together from constants
ONE = f"{SELECT_NAMESPACE} AND n.name = $2"
BY_NAME = Orders({"name": Key("n.name")}, default="name", tie=Key("n.name"))


async def get(snapshot: Snapshot, name: NamespaceName) -> Namespace:
    """Return one namespace."""
    row = await snapshot.db.fetchrow(ONE, snapshot.revision, str(name))
    if row is None:
        raise NotFound(str(name))
    return _to_message(row)


async def page(snapshot: Snapshot, request: ListNamespacesRequest) -> tuple[list[Namespace], str]:
    """Return one page of all namespaces, and the token of the next."""
    found = await paging.fetch(snapshot.db, SELECT_NAMESPACE, [snapshot.revision], request, BY_NAME)
    return [_to_message(row) for row in found.rows], found.next_page_token


def _to_message(row: asyncpg.Record) -> Namespace:
    return Namespace(
        name=row["name"],
        etag=f'"{row["revision"]}"',
        create_time=row["create_time"],
        update_time=row["update_time"],
        description=row["description"],
        stage_graph=stage_graphs.to_message(row["stage_rules"]),
    )
