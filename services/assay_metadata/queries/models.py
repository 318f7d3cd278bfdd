"""Models, as the read model knows them."""

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import ListModelsRequest
from assay.metadata.v1.resources_pb2 import Model, State
from assay.names import ModelName, NamespaceName
from assay_events.decider import NotFound
from assay_metadata.queries import namespaces
from assay_serve import paging
from assay_serve.filtering import Column, Entries, Fields, Kind
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Snapshot

LATEST_NUMBER = """coalesce((
    SELECT v.number FROM version v WHERE v.model = m.name AND v.from_revision <= $1
    ORDER BY v.number DESC LIMIT 1), 0)"""
SELECT_MODEL = f"""
SELECT m.name, m.model_id, m.state, m.description, m.tags, m.create_time, m.update_time,
       k.revision, {LATEST_NUMBER} AS latest_number
FROM model m JOIN mark k ON k.name = m.name AND k.from_revision <= $1 AND k.to_revision > $1
WHERE m.from_revision <= $1 AND m.to_revision > $1
"""  # noqa: S608 - put together from constants
ONE = f"{SELECT_MODEL} AND m.name = $2"
OF_NAMESPACE = f"{SELECT_MODEL} AND m.namespace = $2"
EXISTS = "SELECT FROM model m WHERE m.name = $2 AND m.from_revision <= $1 LIMIT 1"

ORDERS = Orders(
    {
        "model_id": Key("m.model_id"),
        "create_time": Key("m.create_time", Kind.TIME),
        "update_time": Key("m.update_time", Kind.TIME),
    },
    default="model_id",
    tie=Key("m.model_id"),
)
STATES = {"ACTIVE": "ACTIVE", "ARCHIVED": "ARCHIVED"}
FIELDS: Fields = {
    "model_id": Column("m.model_id"),
    "state": Column("m.state", Kind.CHOICE, STATES),
    "create_time": Column("m.create_time", Kind.TIME),
    "update_time": Column("m.update_time", Kind.TIME),
    "latest_number": Column(LATEST_NUMBER, Kind.INTEGER),
    "tags": Entries(
        "SELECT FROM model_tag t WHERE t.model = m.name"
        " AND t.from_revision <= $1 AND t.to_revision > $1",
        key="t.key",
        value=Column("t.value"),
    ),
}


async def get(snapshot: Snapshot, name: ModelName) -> Model:
    """Return one model."""
    row = await snapshot.db.fetchrow(ONE, snapshot.revision, str(name))
    if row is None:
        raise NotFound(str(name))
    return _to_message(row)


async def page(
    snapshot: Snapshot, parent: NamespaceName, request: ListModelsRequest
) -> tuple[list[Model], str]:
    """Return one page of the models of a namespace, and the token of the next."""
    arguments = [snapshot.revision, str(parent)]
    found = await paging.fetch(snapshot.db, OF_NAMESPACE, arguments, request, ORDERS, FIELDS)
    if not found.rows:
        await namespaces.get(snapshot, parent)
    return [_to_message(row) for row in found.rows], found.next_page_token


async def require(snapshot: Snapshot, name: ModelName) -> None:
    """Refuse a model that does not exist at the snapshot's revision."""
    if await snapshot.db.fetchrow(EXISTS, snapshot.revision, str(name)) is None:
        raise NotFound(str(name))


def state(word: str) -> State.ValueType:
    """Return the state that a row names."""
    return State.Value(f"STATE_{word}")


def _to_message(row: asyncpg.Record) -> Model:
    return Model(
        name=row["name"],
        etag=f'"{row["revision"]}"',
        create_time=row["create_time"],
        update_time=row["update_time"],
        state=state(row["state"]),
        description=row["description"],
        tags=row["tags"],
        latest_number=row["latest_number"],
    )
