"""Versions of all models of a namespace, by filter and full text.

A search first finds which versions belong on the page, on tables that are narrow and ordered by
`registered`, the revision of the registration, and then reads those. Comparisons that every result
must meet become joins, so that the planner may begin with any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from assay.metadata.v1.metadata_service_pb2 import SearchModelVersionsRequest
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.names import NamespaceName
from assay_metadata.queries import namespaces, versions
from assay_serve import paging
from assay_serve.filter_parser import And, Expression, Restriction, parse
from assay_serve.filtering import Column, Entries, Fields, Kind, Parts, to_sql
from assay_serve.paging import Key, Orders, Search
from assay_serve.postgres import Connection, Snapshot

MOST_COUNTED = 10_000
MOST_JOINS = 6  # more would have the planner try too many orders
PLANNING = """
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true)
"""
SCOPE = "hashtextextended(split_part($2, '/', 2), 0)"
ROW_SCOPE = "hashtextextended(split_part({row}.model, '/', 2), 0)"
# The planner takes conditions for independent: it must not count twice what the hash says already.
UNCOUNTED = "coalesce({condition}, false)"
HASH = "hashtextextended({first}, hashtextextended({second}, {scope}))"
WORDS = """(to_tsvector('simple', split_part(v.model, '/', 4) || ' '
    || translate(split_part(v.model, '/', 4), '._-', '   ') || ' ' || v.description)
    || to_tsvector('simple', v.card))"""
WHOLE = f"""{versions.COLUMNS}, p.*
FROM ({{page}}) p
JOIN version v ON v.model = p.found_model AND v.number = p.found_number AND {versions.AT}
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
_TABLES = {
    "tags": "version_tag",
    "params": "version_param",
    "alias": "holding",
    "stage": "holding",
    "metrics": "version_metric",
}
_TEMPORAL = "{row}.from_revision <= $1 AND {row}.to_revision > $1"


@dataclass(slots=True)
class _Statement:
    """A statement as it is put together; `rest` is what is left to the filter."""

    arguments: list[object]
    tables: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    rest: list[Expression] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    is_distinct: bool = False

    def bind(self, argument: object, sql_type: str) -> str:
        """Return the parameter that stands for a value."""
        self.arguments.append(argument)
        return f"${len(self.arguments)}::{sql_type}"

    def join(self, table: str, *, is_temporal: bool) -> str:
        """Add a table whose rows are about the same version; return the name of its row."""
        row = f"f{len(self.tables)}"
        self.tables.append(f"{table} {row}")
        self.conditions.append(f"{row}.registered <= $1")
        if is_temporal:
            self.conditions.append(_TEMPORAL.format(row=row))
        if row != "f0":
            self.conditions.append(f"{row}.registered = f0.registered")  # it tells versions apart
        return row

    def select(self, columns: str) -> str:
        """Return the statement, up to its conditions."""
        distinct = "DISTINCT " if self.is_distinct else ""
        conditions = " AND ".join(self.conditions)
        return f"SELECT {distinct}{columns} FROM {', '.join(self.tables)} WHERE {conditions}"  # noqa: S608 - put together from constants


async def version_page(
    snapshot: Snapshot, parent: NamespaceName, request: SearchModelVersionsRequest
) -> tuple[list[ModelVersion], str, int]:
    """Return one page of the versions found, the token of the next, and how many there are."""
    statement = _Statement([snapshot.revision, str(parent)])
    metric = _metric_to_order_by(request.order_by)
    if metric:
        row = statement.join("version_metric", is_temporal=False)
        _metric_is(row, metric, statement)
        statement.conditions.append(UNCOUNTED.format(condition=f"{row}.nth = 0"))
    _read_filter(parse(request.filter), statement)
    base = "f0" if statement.tables else "v"
    _finish(request.text, statement)
    columns = f"{base}.registered, {base}.model AS found_model, {base}.number AS found_number"
    select = statement.select(columns + (", f0.value AS ordered_by" if metric else ""))
    orders = _orders(base, request.order_by if metric else "")
    found = Search(snapshot.revision, And(tuple(statement.rest)), WHOLE)
    await snapshot.db.execute(PLANNING)
    page = await paging.fetch(
        snapshot.db, select, statement.arguments, request, orders, FIELDS, found
    )
    if not page.rows:
        await namespaces.get(snapshot, parent)
    count = await _count(snapshot.db, statement, base) if request.count else 0
    return [versions.to_message(row) for row in page.rows], page.next_page_token, count


async def _count(db: Connection, asked: _Statement, base: str) -> int:
    """Return the number of all results, or one more than is counted."""
    condition = to_sql(And(tuple(asked.rest)), FIELDS, len(asked.arguments) + 1)
    found = asked.select(f"{base}.registered")
    sql = f"SELECT count(*) FROM ({found} AND {condition.sql} LIMIT {MOST_COUNTED + 1}) c"  # noqa: S608 - put together from constants
    return int(await db.fetchval(sql, *asked.arguments, *condition.arguments))


def _metric_to_order_by(order_by: str) -> str:
    """Return the key of the metric to order by, empty where it is none."""
    asked = order_by.strip().removesuffix(" desc").removesuffix(" asc").rstrip()
    return asked.removeprefix("metrics.").strip("'") if asked.startswith("metrics.") else ""


def _orders(base: str, by_metric: str) -> Orders:
    registered = Key(f"{base}.registered", Kind.INTEGER)
    keys = {
        "create_time": registered,
        "number": Key(f"{base}.number", Kind.INTEGER, row="found_number"),
        "metrics.KEY": Key(f"{base}.value", Kind.NUMBER, row="ordered_by"),
    }
    if by_metric:
        name = by_metric.strip().removesuffix(" desc").removesuffix(" asc").rstrip()
        keys[name] = keys["metrics.KEY"]
    return Orders(keys, default="create_time desc", tie=registered)


def _read_filter(expression: Expression, statement: _Statement) -> None:
    """Join what every result must meet, and leave the rest to the condition."""
    for term in expression.terms if isinstance(expression, And) else (expression,):
        if isinstance(term, And):
            _read_filter(term, statement)
        elif not (isinstance(term, Restriction) and _joined(term, statement)):
            statement.rest.append(term)


def _joined(asked: Restriction, statement: _Statement) -> bool:
    """Join the table of a comparison; return False where it is not of the kind that can be."""
    is_equal = asked.comparator in {"=", "IN"}
    is_held = is_equal or asked.comparator == ":"
    if asked.field == "model" and asked.comparator == "=":
        statement.models.append(f"$2 || '/models/' || {statement.bind(asked.value, 'text')}")
        return True
    if len(statement.tables) >= MOST_JOINS:
        return False
    if asked.field in {"tags", "params"} and asked.key and is_equal:
        _join_term(asked.field, asked.key, asked, statement)
    elif asked.field in {"alias", "stage"} and not asked.key and is_held:
        _join_term(asked.field, asked.field, asked, statement)
    elif asked.field == "metrics" and asked.key and asked.comparator in {"=", "<", "<=", ">", ">="}:
        row = statement.join("version_metric", is_temporal=False)
        _metric_is(row, asked.key, statement)
        fields: Fields = {"metrics": Column(f"{row}.value", Kind.NUMBER)}
        value = to_sql(replace(asked, key=""), fields, len(statement.arguments) + 1)
        statement.conditions.append(value.sql)
        statement.arguments += value.arguments
        statement.is_distinct = True
    else:
        return False
    return True


def _join_term(field_: str, key: str, asked: Restriction, statement: _Statement) -> None:
    """Join the rows with one of the values asked for; what is found by a hash is compared too."""
    table = _TABLES[field_]
    row = statement.join(table, is_temporal=field_ != "params")
    key_column, value_column = ("kind", "label") if table == "holding" else ("key", "value")
    values: Sequence[str] = asked.values if asked.comparator == "IN" else [asked.value]
    bound = statement.bind(key, "text")
    listed = statement.bind(list(values), "text[]")
    term = HASH.format(
        first=f"{row}.{key_column}",
        second=f"{row}.{value_column}",
        scope=ROW_SCOPE.format(row=row),
    )
    if len(values) == 1:
        wanted = "= " + HASH.format(first=bound, second=f"({listed})[1]", scope=SCOPE)
    else:
        wanted = HASH.format(first=bound, second="asked", scope=SCOPE)
        wanted = f"= ANY (ARRAY(SELECT {wanted} FROM unnest({listed}) asked))"  # noqa: S608 - constants
        statement.is_distinct |= table == "holding"  # a version may hold several of them
    same = f"{row}.{key_column} = {bound} AND {row}.{value_column} = ANY ({listed})"
    statement.conditions += [f"{term} {wanted}", UNCOUNTED.format(condition=same)]


def _metric_is(row: str, key: str, statement: _Statement) -> None:
    bound = statement.bind(key, "text")
    scope = ROW_SCOPE.format(row=row)
    statement.conditions += [
        f"hashtextextended({row}.key, {scope}) = hashtextextended({bound}, {SCOPE})",
        UNCOUNTED.format(condition=f"{row}.key = {bound}"),
    ]


def _finish(text: str, statement: _Statement) -> None:
    """Add the versions themselves, where anything is asked of them, and the words to look for."""
    base = "f0" if statement.tables else "v"
    statement.conditions += [f"{base}.model = {model}" for model in statement.models]
    if statement.tables and not statement.rest and not text.strip():
        return
    if statement.tables:
        statement.conditions.append("v.registered = f0.registered")
    statement.tables.append("version v")
    statement.conditions += ["v.namespace = $2", "v.registered <= $1", versions.AT]
    if text.strip():
        words = statement.bind(text, "text")
        statement.conditions.append(f"{WORDS} @@ plainto_tsquery('simple', {words})")
