"""Namespaces, as the read model knows them."""

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import ListNamespacesRequest
from assay.metadata.v1.resources_pb2 import Namespace
from assay.names import NamespaceName
from assay_events.decider import NotFound
from assay_serve import paging
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Snapshot

SELECT_NAMESPACE = """
SELECT n.name, n.description, n.create_time, n.revision FROM namespace n WHERE n.revision <= $1
"""
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
        update_time=row["create_time"],
        description=row["description"],
    )
