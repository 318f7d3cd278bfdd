"""Models, as the read model knows them."""

from collections.abc import Iterable
from typing import TypeVar

import asyncpg
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from assay.metadata.v1.metadata_service_pb2 import ListModelsRequest
from assay.metadata.v1.resources_pb2 import Imported, Model, State
from assay.names import ModelName, NamespaceName
from assay_events.decider import NotFound
from assay_metadata.queries import namespaces, stage_graphs
from assay_serve import paging
from assay_serve.filtering import Column, Entries, Fields, Kind
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Snapshot

_Message = TypeVar("_Message", bound=Message)

LATEST_NUMBER = """coalesce((
    SELECT v.number FROM version v WHERE v.model = m.name AND v.from_revision <= $1
    ORDER BY v.number DESC LIMIT 1), 0)"""
COLUMNS = f"""
SELECT m.name, m.model_id, m.display_name, m.state, m.description, m.tags, m.owners,
       m.intended_use, m.tier, m.imported, m.create_time, m.update_time, k.revision,
       {LATEST_NUMBER} AS latest_number, {stage_graphs.rules_of("m.name")} AS stage_rules
"""
MARK = "JOIN mark k ON k.name = m.name AND k.from_revision <= $1 AND k.to_revision > $1"
AT = "m.from_revision <= $1 AND m.to_revision > $1"
SELECT_MODEL = f"{COLUMNS} FROM model m {MARK} WHERE {AT}"
# The newest row of a name up to a revision is the end of a range of the primary key, however often
# the model was changed.
NEWEST = """(
    SELECT * FROM {table} n WHERE n.name = $2 AND n.from_revision <= $1
    ORDER BY n.from_revision DESC LIMIT 1)"""
ONE = f"""{COLUMNS}
FROM {NEWEST.format(table="model")} m JOIN {NEWEST.format(table="mark")} k ON k.to_revision > $1
WHERE m.to_revision > $1
"""
OF_NAMESPACE = f"{SELECT_MODEL} AND m.namespace = $2"
# Each name that is there, also by a name that its model had at another time.
MANY = f"""{COLUMNS}, asked.name AS asked
FROM unnest($2::text[]) AS asked (name)
LEFT JOIN model_name n ON n.name = asked.name AND n.revision <= $1
JOIN model m ON m.name = coalesce(n.model, asked.name) {MARK}
WHERE {AT}
"""
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
STATES = {"ACTIVE": "ACTIVE", "ARCHIVED": "ARCHIVED", "DRAFT": "DRAFT"}
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


async def many(snapshot: Snapshot, names: Iterable[ModelName]) -> dict[str, Model]:
    """Return those of many models that are there, by the name that was asked for."""
    rows = await snapshot.db.fetch(MANY, snapshot.revision, sorted({str(name) for name in names}))
    return {row["asked"]: _to_message(row) for row in rows}


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


def filled(parts: dict[str, object], message: _Message) -> _Message | None:
    """Return a message with the parts that a row has of it, None where it has none."""
    return ParseDict(parts, message) if parts else None


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
        stage_graph=stage_graphs.to_message(row["stage_rules"]),
        owners=row["owners"],
        intended_use=row["intended_use"],
        tier=row["tier"],
        display_name=row["display_name"],
        imported=filled(row["imported"], Imported()),
    )
