"""Versions of all models of a namespace, by filter and full text.

A search first finds which versions belong on the page, on narrow tables whose indexes hold all that
is compared (search_joins.py), and then reads those.
"""

from dataclasses import dataclass

from assay.metadata.v1.metadata_service_pb2 import SearchModelVersionsRequest
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.names import NamespaceName
from assay_metadata.queries import namespaces, search_joins, versions
from assay_metadata.queries.search_joins import Statement
from assay_serve import paging
from assay_serve.filter_parser import And, parse
from assay_serve.filtering import Column, Entries, Fields, Kind, Parts, to_sql
from assay_serve.paging import Key, Orders, Rows, Search
from assay_serve.postgres import Connection, Snapshot

MOST_COUNTED = 10_000
NEWEST = 50_000
# What is read lies in memory, mostly, and a plan for these very values is worth its making.
PLANNING = """
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true),
       set_config('random_page_cost', '1.1', true)
"""
WHOLE = f"""{versions.COLUMNS}, p.*
FROM ({{page}}) p
JOIN version v ON v.namespace = $2 AND v.registered = p.found AND {versions.AT}
"""
OF_MODEL = """(
    SELECT m.{column} FROM model m
    WHERE m.name = v.model AND m.from_revision <= $1 AND m.to_revision > $1)"""
CARD_PARTS = ("schema", "purpose", "limits", "data", "metrics", "ethics", "licence")
FILLED = " + ".join(
    f"(coalesce(v.card->>'{part}', '') <> '')::int" for part in CARD_PARTS if part != "schema"
)
FIELDS: Fields = {
    **versions.FIELDS,
    "model": Column("split_part(v.model, '/', 4)"),
    "display_name": Column(OF_MODEL.format(column="display_name")),
    "tier": Column(OF_MODEL.format(column="tier")),
    "owner": Entries(
        "SELECT FROM model m, unnest(m.owners) owner WHERE m.name = v.model"
        " AND m.from_revision <= $1 AND m.to_revision > $1",
        key="owner",
    ),
    "parent": Entries("SELECT FROM unnest(v.parent_versions) parent WHERE true", key="parent"),
    "semantic_version": Column("v.semantic_version"),
    "format": Column("coalesce(v.format->>'name', '')"),
    "card": Parts({part: Column(f"coalesce(v.card->>'{part}', '')") for part in CARD_PARTS}),
    "card_completeness": Column(f"(({FILLED}) / 6.0::double precision)", Kind.NUMBER),
    "imported": Parts({"source": Column("coalesce(v.imported->>'source', '')")}),
    "update_time": Column("v.update_time", Kind.TIME),
    "description": Column("v.description"),
}


async def version_page(
    snapshot: Snapshot, parent: NamespaceName, request: SearchModelVersionsRequest
) -> tuple[list[ModelVersion], str, int]:
    """Return one page of the versions found, the token of the next, and how many there are."""
    orders, statement, select = _statement(snapshot.revision, parent, request)
    found = Search(snapshot.revision, And(tuple(statement.rest)), WHOLE)

    async def fetch(among: str = "") -> Rows:
        return await paging.fetch(
            snapshot.db, select + among, statement.arguments, request, orders, FIELDS, found
        )

    await snapshot.db.execute(PLANNING)
    among = _among_the_newest(statement, snapshot.revision, request)
    page = await fetch(among)
    if among and not page.next_page_token:  # the page may go on past them
        page = await fetch()
    if not page.rows:
        await namespaces.get(snapshot, parent)
    count = await _count(snapshot.db, statement) if request.count else 0
    return [versions.to_message(row) for row in page.rows], page.next_page_token, count


def _among_the_newest(asked: Statement, revision: int, request: SearchModelVersionsRequest) -> str:
    """Return a condition that a search for words is tried with first, empty where it is no help.

    The index of words knows no order: all that have a common word would be read for one page.
    """
    is_newest_first = request.order_by.strip() in {"", "create_time desc"}
    if not request.text.strip() or not is_newest_first or asked.base != "v" or asked.models:
        return ""
    after = paging.last_value(request.page_token)
    begin = after if isinstance(after, int) else revision
    return f" AND v.registered > {begin - NEWEST}"


def _statement(
    revision: int, parent: NamespaceName, request: SearchModelVersionsRequest
) -> tuple[Orders, Statement, str]:
    """Return by what to order, the parts of the statement, and the statement."""
    order = _Order.read(request.order_by)
    statement = Statement([revision, str(parent)], is_by_number=order.is_by_number)
    if order.metric:
        row = search_joins.join_metric(order.metric, statement)
        statement.conditions.append(f"{row}.nth = 0")
    search_joins.read_filter(parse(request.filter), statement)
    search_joins.finish(request.text, statement)
    return order.keys(statement), statement, statement.select(order.columns(statement))


async def _count(db: Connection, asked: Statement) -> int:
    """Return the number of all results, or one more than is counted."""
    condition = to_sql(And(tuple(asked.rest)), FIELDS, len(asked.arguments) + 1)
    found = asked.select(f"{asked.base}.registered")
    sql = f"SELECT count(*) FROM ({found} AND {condition.sql} LIMIT {MOST_COUNTED + 1}) c"  # noqa: S608 - put together from constants
    return int(await db.fetchval(sql, *asked.arguments, *condition.arguments))


@dataclass(frozen=True, slots=True)
class _Order:
    """What `order_by` says; `metric` is the key of the metric to order by, where it is one."""

    name: str
    metric: str
    is_by_number: bool

    @classmethod
    def read(cls, order_by: str) -> "_Order":
        """Read it; what is none is refused when the page is read."""
        name = order_by.strip().removesuffix(" desc").removesuffix(" asc").rstrip()
        metric = name.removeprefix("metrics.").strip("'") if name.startswith("metrics.") else ""
        return cls(name, metric, name == "number")

    def columns(self, statement: Statement) -> str:
        """Return the columns that tell the versions found, and those to order by."""
        columns = f"{statement.base}.registered AS found"
        if self.metric:
            return f"{columns}, f0.value AS ordered_by"
        return f"{columns}, v.number AS found_number" if self._needs_number(statement) else columns

    def keys(self, statement: Statement) -> Orders:
        """Return by what results may be ordered; in one model the numbers follow each other."""
        registered = Key(f"{statement.base}.registered", Kind.INTEGER, row="found")
        number = Key("v.number", Kind.INTEGER, row="found_number")
        value = Key("f0.value", Kind.NUMBER, row="ordered_by")
        tie = number if statement.models and not self.metric else registered
        keys = {"create_time": tie, "number": number, "metrics.KEY": value}
        if self.metric:
            keys[self.name] = value
        return Orders(keys, default="create_time desc", tie=tie)

    def _needs_number(self, statement: Statement) -> bool:
        return self.is_by_number or bool(statement.models)
