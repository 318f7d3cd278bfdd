"""Filters and pages mean in Postgres what a small evaluator in Python says they mean."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.metadata.v1 import metadata_service_pb2 as api
from assay_serve import paging
from assay_serve.embedded import postgres
from assay_serve.filter_parser import And, Expression, Not, Or, Restriction
from assay_serve.filtering import Column, Entries, Fields, Kind, to_sql, where
from assay_serve.paging import Key, Orders

SCHEMA = """
CREATE TEMPORARY TABLE item (
    id bigint, name text, size bigint, score double precision, is_open boolean,
    time timestamptz, state integer, resource text
);
CREATE TEMPORARY TABLE tag (item bigint, key text, value text);
"""
SELECT = "SELECT t.* FROM item t WHERE TRUE"
FIELDS: Fields = {
    "name": Column("t.name"),
    "size": Column("t.size", Kind.INTEGER),
    "score": Column("t.score", Kind.NUMBER),
    "is_open": Column("t.is_open", Kind.BOOLEAN),
    "time": Column("t.time", Kind.TIME),
    "state": Column("t.state", Kind.CHOICE, {"ACTIVE": 1, "ARCHIVED": 2}),
    "resource": Column("t.resource", Kind.RESOURCE),
    "tags": Entries("SELECT 1 FROM tag g WHERE g.item = t.id", "g.key", Column("g.value")),
}
STATES = {"ACTIVE": 1, "ARCHIVED": 2}
ORDERS = Orders(
    {
        "id": Key("t.id", Kind.INTEGER),
        "name": Key("t.name"),
        "size": Key("t.size", Kind.INTEGER),
        "score": Key("t.score", Kind.NUMBER),
        "time": Key("t.time", Kind.TIME),
        "is_open": Key("t.is_open", Kind.BOOLEAN),
    },
    default="id",
    tie=Key("t.id", Kind.INTEGER),
)
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Item:
    """One row, with its tags."""

    name: str
    size: int | None
    score: float
    is_open: bool
    time: datetime
    state: int
    resource: str
    tags: Mapping[str, str]


TEXTS = st.sampled_from(["", "a", "A", "ab", "b", "ä", "a'b", '"', "\\", "%", "a_c", "😀", "a b"])
RESOURCES = st.sampled_from(["n/a", "n/a/m", "n/a/m/b", "n/ab", "n", "n/a0", "n/a."])
SIZES = st.sampled_from([-1, 0, 1, 2, 2**62])
SCORES = st.sampled_from([-1.5, 0.0, 0.1, 0.5, 1e300])
TIMES = st.sampled_from([START + timedelta(microseconds=n * 500_001) for n in range(4)])
KEYS = st.sampled_from(["k", "a b", "x.y", "Ä"])
ITEMS = st.builds(
    Item,
    TEXTS,
    st.none() | SIZES,
    SCORES,
    st.booleans(),
    TIMES,
    st.sampled_from([1, 2]),
    RESOURCES,
    st.dictionaries(KEYS, TEXTS, max_size=3),
)
ORDERED = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
EQUAL = st.sampled_from(["=", "!="])


def asking(
    field: str,
    comparators: st.SearchStrategy[str],
    values: st.SearchStrategy[str],
    keys: st.SearchStrategy[str] | None = None,
    *,
    is_quoted: bool = True,
) -> st.SearchStrategy[Restriction]:
    """Return restrictions of one field."""
    return st.builds(
        Restriction,
        st.just(field),
        st.just("") if keys is None else keys,
        comparators,
        values,
        is_quoted=st.just(is_quoted),
    )


RESTRICTIONS = st.one_of(
    asking("name", ORDERED | st.just(":"), TEXTS),
    asking("resource", ORDERED | st.just(":"), RESOURCES),
    asking("size", ORDERED, SIZES.map(str), is_quoted=False),
    asking("score", ORDERED, SCORES.map(str), is_quoted=False),
    asking("time", ORDERED, TIMES.map(str)),
    asking("is_open", EQUAL, st.sampled_from(["true", "false"]), is_quoted=False),
    asking("state", EQUAL, st.sampled_from([*STATES])),
    asking("tags", ORDERED | st.just(":"), TEXTS, KEYS),
    asking("tags", st.just(":"), st.just("*"), KEYS, is_quoted=False),
    asking("tags", st.just(":"), KEYS),
)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    RESTRICTIONS,
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms)))
    ),
    max_leaves=6,
)


def matches(expression: Expression, item: Item) -> bool:
    """Return whether `item` is what `expression` asks for."""
    match expression:
        case And(terms=terms):
            return all(matches(term, item) for term in terms)
        case Or(terms=terms):
            return any(matches(term, item) for term in terms)
        case Not(term=term):
            return not matches(term, item)
        case Restriction():
            return _fulfils(expression, item)
    assert_never(expression)


def _fulfils(asked: Restriction, item: Item) -> bool:
    if asked.field == "tags":
        if not asked.key:
            return asked.value in item.tags
        if asked.key not in item.tags:
            return False
        anything = asked.comparator == ":" and asked.value == "*" and not asked.is_quoted
        return anything or _compare(item.tags[asked.key], asked.comparator, asked.value)
    value = getattr(item, asked.field)
    if value is None:
        return False
    if asked.field == "resource" and asked.comparator == ":":
        return bool(value == asked.value or value.startswith(f"{asked.value}/"))
    return _compare(value, asked.comparator, _wanted(asked))


def _wanted(asked: Restriction) -> object:
    match asked.field:
        case "size":
            return int(asked.value)
        case "score":
            return float(asked.value)
        case "time":
            return datetime.fromisoformat(asked.value)
        case "is_open":
            return asked.value == "true"
        case "state":
            return STATES[asked.value]
    return asked.value


def _compare(value: object, comparator: str, wanted: object) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        if comparator == ":":
            return wanted in value
        value, wanted = value.encode(), wanted.encode()
    results: dict[str, bool] = {
        "=": value == wanted,
        "!=": value != wanted,
        "<": value < wanted,  # type: ignore[operator]
        "<=": value <= wanted,  # type: ignore[operator]
        ">": value > wanted,  # type: ignore[operator]
        ">=": value >= wanted,  # type: ignore[operator]
    }
    return results[comparator]


def written(expression: Expression) -> str:
    """Return a text that says `expression`."""
    match expression:
        case And(terms=terms):
            return "(" + " AND ".join(map(written, terms)) + ")"
        case Or(terms=terms):
            return "(" + " OR ".join(map(written, terms)) + ")"
        case Not(term=term):
            return f"NOT ({written(term)})"
        case Restriction():
            key = f".{_quoted(expression.key)}" if expression.key else ""
            value = _quoted(expression.value) if expression.is_quoted else expression.value
            return f"{expression.field}{key} {expression.comparator} {value}"
    assert_never(expression)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Tables:
    """A connection with the two tables, kept by an event loop of its own."""

    def __init__(self, dsn: str) -> None:
        self._runner = asyncio.Runner()
        self._db = self._runner.run(asyncpg.connect(dsn))
        self._runner.run(self._db.execute(SCHEMA))

    def fill(self, items: Sequence[Item]) -> None:
        self._runner.run(self._fill(items))

    async def _fill(self, items: Sequence[Item]) -> None:
        await self._db.execute("TRUNCATE item, tag")
        rows = [
            (at, *(getattr(item, name) for name in Item.__dataclass_fields__ if name != "tags"))
            for at, item in enumerate(items)
        ]
        await self._db.copy_records_to_table("item", records=rows)
        tags = [(at, *tag) for at, item in enumerate(items) for tag in item.tags.items()]
        await self._db.copy_records_to_table("tag", records=tags)

    def ids(self, sql: str, arguments: Sequence[object]) -> set[int]:
        query = f"{SELECT} AND {sql}"
        return {record["id"] for record in self._runner.run(self._db.fetch(query, *arguments))}

    def page(self, request: api.ListModelsRequest) -> paging.Rows:
        return self._runner.run(paging.fetch(self._db, SELECT, (), request, ORDERS, FIELDS))

    def close(self) -> None:
        self._runner.run(self._db.close())
        self._runner.close()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    with postgres.running(tmp_path_factory.mktemp("postgres")) as database:
        tables = Tables(database.url("metadata"))
        yield tables
        tables.close()


LAW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@LAW
@given(st.lists(ITEMS, max_size=12), EXPRESSIONS)
def test_a_filter_finds_what_it_says(
    tables: Tables, items: list[Item], expression: Expression
) -> None:
    tables.fill(items)
    wanted = {at for at, item in enumerate(items) if matches(expression, item)}
    compiled = to_sql(expression, FIELDS, 1)
    assert tables.ids(compiled.sql, compiled.arguments) == wanted
    read = where(written(expression), FIELDS, 1)
    assert tables.ids(read.sql, read.arguments) == wanted


@LAW
@given(
    st.lists(ITEMS, max_size=25).map(
        lambda items: [item for item in items if item.size is not None]
    ),
    st.sampled_from([*ORDERS.keys, ""]),
    st.sampled_from(["", " asc", " desc"]),
    st.integers(1, 7),
)
def test_pages_give_each_row_once_in_order(
    tables: Tables, items: list[Item], field: str, direction: str, page_size: int
) -> None:
    tables.fill(items)
    request = api.ListModelsRequest(
        page_size=page_size, order_by=f"{field}{direction}" if field else "", filter="score >= 0"
    )
    seen = list[int]()
    while True:
        page = tables.page(request)
        assert len(page.rows) <= page_size
        seen += [row["id"] for row in page.rows]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    def key(at: int) -> tuple[object, int]:
        value = getattr(items[at], field) if field not in {"", "id"} else at
        return (value.encode() if isinstance(value, str) else value, at)

    found = [at for at, item in enumerate(items) if item.score >= 0]
    is_reversed = bool(field) and direction == " desc"
    assert seen == sorted(found, key=key, reverse=is_reversed)
