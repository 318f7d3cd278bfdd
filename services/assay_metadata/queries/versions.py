"""Versions, as the read model knows them."""

import json

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import ListModelVersionsRequest
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.names import AliasName, ModelName, StageName, VersionName
from assay.type.v1.metric_pb2 import Metric
from assay_events.decider import NotFound
from assay_metadata.queries import models
from assay_serve import paging
from assay_serve.filtering import Column, Entries, Fields, Kind
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Snapshot

HELD = """ARRAY(
    SELECT h.label FROM holding h WHERE h.model = v.model AND h.number = v.number
    AND h.from_revision <= $1 AND h.to_revision > $1 AND h.kind = '{kind}' ORDER BY h.label)"""
COLUMNS = f"""
SELECT v.model, v.number, v.state, v.manifest_digest, v.description, v.metrics, v.params, v.tags,
       v.run, v.size_bytes, v.file_count, v.creator, v.create_time, v.update_time, v.revision,
       {HELD.format(kind="alias")} AS aliases, {HELD.format(kind="stage")} AS stages
"""
AT = "v.from_revision <= $1 AND v.to_revision > $1"
ONE = f"{COLUMNS} FROM version v WHERE {AT} AND v.model = $2 AND v.number = $3"
OF_MODEL = f"{COLUMNS} FROM version v WHERE {AT} AND v.model = $2"
OF_TARGET = f"""{COLUMNS}
FROM holding t JOIN version v ON v.model = t.model AND v.number = t.number AND {AT}
WHERE t.name = $2 AND t.from_revision <= $1 AND t.to_revision > $1
"""

ORDERS = Orders(
    {
        "number": Key("v.number", Kind.INTEGER),
        "create_time": Key("v.create_time", Kind.TIME),
    },
    default="number desc",
    tie=Key("v.number", Kind.INTEGER),
)


def _held(kind: str) -> Entries:
    rows = (
        "SELECT FROM holding h WHERE h.model = v.model AND h.number = v.number"
        f" AND h.from_revision <= $1 AND h.to_revision > $1 AND h.kind = '{kind}'"
    )
    return Entries(rows, key="h.label")


def _entries(table: str, value: Kind, at: str = "") -> Entries:
    rows = f"SELECT FROM {table} t WHERE t.model = v.model AND t.number = v.number{at}"
    return Entries(rows, key="t.key", value=Column("t.value", value))


FIELDS: Fields = {
    "number": Column("v.number", Kind.INTEGER),
    "state": Column("v.state", Kind.CHOICE, models.STATES),
    "create_time": Column("v.create_time", Kind.TIME),
    "manifest_digest": Column("v.manifest_digest"),
    "run": Column("v.run", Kind.RESOURCE),
    "creator": Column("v.creator", Kind.RESOURCE),
    "alias": _held("alias"),
    "stage": _held("stage"),
    "tags": _entries("version_tag", Kind.TEXT, " AND t.from_revision <= $1 AND t.to_revision > $1"),
    "params": _entries("version_param", Kind.TEXT),
    "metrics": _entries("version_metric", Kind.NUMBER),
}


async def get(snapshot: Snapshot, name: VersionName) -> ModelVersion:
    """Return one version."""
    row = await snapshot.db.fetchrow(ONE, snapshot.revision, str(name.parent), name.number)
    if row is None:
        raise NotFound(str(name))
    return _to_message(row)


async def resolve(snapshot: Snapshot, target: AliasName | StageName) -> ModelVersion:
    """Return the version that an alias or stage points at."""
    row = await snapshot.db.fetchrow(OF_TARGET, snapshot.revision, str(target))
    if row is None:
        raise NotFound(str(target))
    return _to_message(row)


async def page(
    snapshot: Snapshot, parent: ModelName, request: ListModelVersionsRequest
) -> tuple[list[ModelVersion], str]:
    """Return one page of the versions of a model, and the token of the next."""
    arguments = [snapshot.revision, str(parent)]
    found = await paging.fetch(snapshot.db, OF_MODEL, arguments, request, ORDERS, FIELDS)
    if not found.rows:
        await models.require(snapshot, parent)
    return [_to_message(row) for row in found.rows], found.next_page_token


def _to_message(row: asyncpg.Record) -> ModelVersion:
    return ModelVersion(
        name=f"{row['model']}/versions/{row['number']}",
        etag=f'"{row["revision"]}"',
        create_time=row["create_time"],
        update_time=row["update_time"],
        state=models.state(row["state"]),
        number=row["number"],
        manifest_digest=row["manifest_digest"],
        description=row["description"],
        metrics=[Metric(**metric) for metric in json.loads(row["metrics"])],
        params=row["params"],
        tags=row["tags"],
        run=row["run"],
        size_bytes=row["size_bytes"],
        file_count=row["file_count"],
        aliases=row["aliases"],
        stages=row["stages"],
        creator=row["creator"],
    )
