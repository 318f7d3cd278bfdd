"""Versions, as the read model knows them."""

import json
from collections.abc import Iterable

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import ListModelVersionsRequest
from assay.metadata.v1.resources_pb2 import (
    Format,
    Imported,
    ModelCard,
    ModelVersion,
    Signature,
)
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
       v.run, v.size_bytes, v.file_count, v.card, v.signature, v.format, v.parent_versions,
       v.semantic_version, v.external_uri, v.imported, v.creator, v.create_time,
       v.update_time, v.revision,
       {HELD.format(kind="alias")} AS aliases, {HELD.format(kind="stage")} AS stages
"""
AT = "v.from_revision <= $1 AND v.to_revision > $1"
# The newest row up to a revision is the end of a range of the primary key, however often the
# version was changed.
ONE = f"""{COLUMNS}
FROM (
    SELECT * FROM version n WHERE n.model = $2 AND n.number = $3 AND n.from_revision <= $1
    ORDER BY n.from_revision DESC LIMIT 1) v
WHERE v.to_revision > $1
"""  # noqa: S608 - put together from constants
OF_MODEL = f"{COLUMNS} FROM version v WHERE {AT} AND v.model = $2"
OF_TARGET = f"""{COLUMNS}
FROM holding t JOIN version v ON v.model = t.model AND v.number = t.number AND {AT}
WHERE t.name = $2 AND t.from_revision <= $1 AND t.to_revision > $1
ORDER BY t.enter_revision, t.place LIMIT 1
"""
# Each name that points at something, with its version; the order is the asker's.
OF_TARGETS = f"""{COLUMNS}, asked.name AS asked
FROM unnest($2::text[], $3::text[], $4::text[]) AS asked (name, model, below)
LEFT JOIN model_name l ON l.name = asked.model AND l.revision <= $1
CROSS JOIN LATERAL (
    SELECT h.model, h.number FROM holding h
    WHERE h.name = coalesce(l.model, asked.model) || asked.below
    AND h.from_revision <= $1 AND h.to_revision > $1 ORDER BY h.enter_revision, h.place LIMIT 1) t
JOIN version v ON v.model = t.model AND v.number = t.number AND {AT}
"""  # noqa: S608 - put together from constants
# Each version that is there, also by a name that its model had at another time.
MANY = f"""{COLUMNS}, asked.name AS asked
FROM unnest($2::text[], $3::text[], $4::bigint[]) AS asked (name, model, number)
LEFT JOIN model_name n ON n.name = asked.model AND n.revision <= $1
JOIN version v ON v.model = coalesce(n.model, asked.model) AND v.number = asked.number
WHERE {AT}
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


def _sealed(table: str, value: Kind) -> Entries:
    rows = f"SELECT FROM {table} t WHERE t.registered = v.registered"
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
    "tags": Entries(
        "SELECT FROM version_tag t WHERE t.model = v.model AND t.number = v.number"
        " AND t.from_revision <= $1 AND t.to_revision > $1",
        key="t.key",
        value=Column("t.value"),
    ),
    "params": _sealed("version_param", Kind.TEXT),
    "metrics": _sealed("version_metric", Kind.NUMBER),
}


async def get(snapshot: Snapshot, name: VersionName) -> ModelVersion:
    """Return one version."""
    row = await snapshot.db.fetchrow(ONE, snapshot.revision, str(name.parent), name.number)
    if row is None:
        raise NotFound(str(name))
    return to_message(row)


async def many(snapshot: Snapshot, names: Iterable[VersionName]) -> dict[str, ModelVersion]:
    """Return those of many versions that are there, by the name that was asked for."""
    asked = sorted(set(names))
    rows = await snapshot.db.fetch(
        MANY,
        snapshot.revision,
        [str(name) for name in asked],
        [str(name.parent) for name in asked],
        [name.number for name in asked],
    )
    return {row["asked"]: to_message(row) for row in rows}


async def resolve(snapshot: Snapshot, target: AliasName | StageName) -> ModelVersion:
    """Return the version that an alias or stage points at."""
    row = await snapshot.db.fetchrow(OF_TARGET, snapshot.revision, str(target))
    if row is None:
        raise NotFound(str(target))
    return to_message(row)


async def resolve_many(
    snapshot: Snapshot, targets: Iterable[AliasName | StageName]
) -> dict[str, ModelVersion]:
    """Return the versions of those aliases and stages that point at one, by resource name."""
    models_of = {str(name): str(name.parent) for name in targets}
    below = [name.removeprefix(model) for name, model in models_of.items()]
    asked = (list(models_of), list(models_of.values()), below)
    rows = await snapshot.db.fetch(OF_TARGETS, snapshot.revision, *asked)
    return {row["asked"]: to_message(row) for row in rows}


async def page(
    snapshot: Snapshot, parent: ModelName, request: ListModelVersionsRequest
) -> tuple[list[ModelVersion], str]:
    """Return one page of the versions of a model, and the token of the next."""
    arguments = [snapshot.revision, str(parent)]
    found = await paging.fetch(snapshot.db, OF_MODEL, arguments, request, ORDERS, FIELDS)
    if not found.rows:
        await models.require(snapshot, parent)
    return [to_message(row) for row in found.rows], found.next_page_token


def to_message(row: asyncpg.Record) -> ModelVersion:
    """Return the version that a row tells of."""
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
        card=models.filled(row["card"], ModelCard()),
        signature=models.filled(row["signature"], Signature()),
        format=models.filled(row["format"], Format()),
        parent_versions=row["parent_versions"],
        semantic_version=row["semantic_version"],
        external_uri=row["external_uri"],
        is_draft=not row["manifest_digest"] and not row["external_uri"],
        imported=models.filled(row["imported"], Imported()),
    )
