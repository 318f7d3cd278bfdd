"""What happened to a model, as people read it."""

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import ListModelHistoryRequest
from assay.metadata.v1.resources_pb2 import FieldChange, HistoryEntry
from assay.names import ModelName
from assay_metadata.queries import models
from assay_serve import paging
from assay_serve.filtering import Kind
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Snapshot

SELECT_HISTORY = """
SELECT e.revision, e.time, e.actor, e.type, e.resource, e.reason, e.changes,
       e.field_changes
FROM history e WHERE e.revision <= $1 AND e.model = $2
"""
NEWEST_FIRST = Orders(
    {"revision": Key("e.revision", Kind.INTEGER)},
    default="revision desc",
    tie=Key("e.revision", Kind.INTEGER),
)


async def page(
    snapshot: Snapshot, parent: ModelName, request: ListModelHistoryRequest
) -> tuple[list[HistoryEntry], str]:
    """Return one page of what happened to a model and below it, and the token of the next."""
    arguments = [snapshot.revision, str(parent)]
    found = await paging.fetch(snapshot.db, SELECT_HISTORY, arguments, request, NEWEST_FIRST)
    if not found.rows:
        await models.require(snapshot, parent)
    return [to_message(row) for row in found.rows], found.next_page_token


def to_message(row: asyncpg.Record) -> HistoryEntry:
    """Return the entry that a row tells of."""
    return HistoryEntry(
        revision=row["revision"],
        time=row["time"],
        actor=row["actor"],
        type=row["type"],
        resource=row["resource"],
        reason=row["reason"],
        changes=row["changes"],
        field_changes=[
            FieldChange(resource=row["resource"], field=field, previous_value=before, value=after)
            for field, before, after in row["field_changes"]
        ],
    )
