"""Models of a namespace, by filter and full text."""

from assay.metadata.v1.metadata_service_pb2 import SearchModelsRequest
from assay.metadata.v1.resources_pb2 import Model
from assay.names import ModelName, NamespaceName
from assay_metadata.queries import models, namespaces
from assay_metadata.queries.search import MOST_COUNTED, PLANNING
from assay_serve import paging
from assay_serve.filter_parser import parse
from assay_serve.filtering import Column, Entries, Fields, Kind, Parts, to_sql
from assay_serve.paging import Key, Orders, Search
from assay_serve.postgres import Snapshot

WORDS = """to_tsvector('simple', m.model_id || ' ' || translate(m.model_id, '._-', '   ')
    || ' ' || m.display_name || ' ' || m.description || ' ' || m.intended_use)"""
FOUND = f"""
SELECT m.name, m.model_id, m.create_time, m.update_time, {models.LATEST_NUMBER} AS latest_number
FROM model m WHERE m.from_revision <= $1 AND m.to_revision > $1 AND m.namespace = $2
"""  # noqa: S608 - put together from constants
WITH_WORDS = f"{FOUND} AND {WORDS} @@ plainto_tsquery('simple', $3)"
FIELDS: Fields = {
    **models.FIELDS,
    "display_name": Column("m.display_name"),
    "description": Column("m.description"),
    "intended_use": Column("m.intended_use"),
    "tier": Column("m.tier"),
    "owner": Entries("SELECT FROM unnest(m.owners) owner WHERE true", key="owner"),
    "imported": Parts({"source": Column("coalesce(m.imported->>'source', '')")}),
}
ORDERS = Orders(
    {
        **models.ORDERS.keys,
        "latest_number": Key(models.LATEST_NUMBER, Kind.INTEGER, row="latest_number"),
    },
    default="model_id",
    tie=models.ORDERS.tie,
)


async def model_page(
    snapshot: Snapshot, parent: NamespaceName, request: SearchModelsRequest
) -> tuple[list[Model], str, int]:
    """Return one page of the models found, the token of the next, and how many there are."""
    select, arguments = FOUND, [snapshot.revision, str(parent)]
    if request.text.strip():
        select, arguments = WITH_WORDS, [*arguments, request.text]
    condition = parse(request.filter)
    found = Search(snapshot.revision, condition, "SELECT p.* FROM ({page}) p")
    await snapshot.db.execute(PLANNING)
    page = await paging.fetch(snapshot.db, select, arguments, request, ORDERS, FIELDS, found)
    if not page.rows:
        await namespaces.get(snapshot, parent)
    whole = await models.many(snapshot, [ModelName.parse(row["name"]) for row in page.rows])
    count = 0
    if request.count:
        where = to_sql(condition, FIELDS, len(arguments) + 1)
        counted = f"{select} AND {where.sql} LIMIT {MOST_COUNTED + 1}"
        sql = f"SELECT count(*) FROM ({counted}) c"  # noqa: S608 - put together from constants
        count = await snapshot.db.fetchval(sql, *arguments, *where.arguments)
    return [whole[row["name"]] for row in page.rows], page.next_page_token, count
