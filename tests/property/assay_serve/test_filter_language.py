"""Laws of the filter language: it refuses or compiles, and no value ever becomes SQL."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_events.decider import Invalid
from assay_serve.filter_parser import MAX_DEPTH, MAX_TERMS, parse
from assay_serve.filtering import MAX_JOINS, Column, Entries, Fields, Kind, where

FIELDS: Fields = {
    "name": Column("t.name"),
    "size": Column("t.size", Kind.INTEGER),
    "score": Column("t.score", Kind.NUMBER),
    "is_open": Column("t.is_open", Kind.BOOLEAN),
    "time": Column("t.time", Kind.TIME),
    "state": Column("t.state", Kind.CHOICE, {"ACTIVE": 1, "ARCHIVED": 2}),
    "resource": Column("t.resource", Kind.RESOURCE),
    "tags": Entries("SELECT 1 FROM tag g WHERE g.item = t.id", "g.key", Column("g.value")),
    "alias": Entries("SELECT 1 FROM alias a WHERE a.item = t.id", "a.alias"),
}
WORDS = [
    *FIELDS,
    *["AND", "OR", "NOT", "(", ")", "-", "=", "!=", "<", "<=", ">", ">=", ":", ".", '"', "'"],
    *["\\", "*", "1", "-2.5", "true", "2026-03-01T00:00:00Z", "ACTIVE", '"a b"', "'", "--", ";"],
    *["$1", "tags.k", "nan", "1e999", "\0", "\ud800", " "],
]


@given(
    st.text()
    | st.lists(st.sampled_from(WORDS)).map(" ".join)
    | st.lists(st.sampled_from(WORDS)).map("".join)
)
def test_any_text_is_compiled_or_refused_with_a_sentence(text: str) -> None:
    refused: Invalid | None = None
    try:
        where(text, FIELDS, 1)
    except Invalid as caught:
        refused = caught
    assert refused is None or (refused.field == "filter" and refused.message.endswith("."))


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(VALUES, st.sampled_from(["name", "resource", "tags.key", "alias"]))
def test_a_value_never_becomes_sql(value: str, field: str) -> None:
    marked = f"§{value}§"
    quoted = marked.replace("\\", "\\\\").replace('"', '\\"')
    comparator = ":" if field == "alias" else "="
    found = where(f'{field} {comparator} "{quoted}"', FIELDS, 1)
    assert marked in found.arguments
    assert "§" not in found.sql


def sql(text: str) -> str:
    return where(text, FIELDS, 1).sql


def test_or_binds_tighter_than_and() -> None:
    tight = sql("size = 1 AND size = 2 OR size = 3")
    assert tight == sql("size = 1 AND (size = 2 OR size = 3)")
    assert tight != sql("(size = 1 AND size = 2) OR size = 3")


def test_side_by_side_means_and() -> None:
    assert sql("size = 1 size = 2") == sql("size = 1 AND size = 2")


def test_an_empty_filter_is_everything() -> None:
    assert (sql(""), sql("  ")) == ("TRUE", "TRUE")


def test_minus_means_not() -> None:
    assert sql("-size = 1") == sql("NOT size = 1")


def test_a_minus_sign_may_lead_a_number() -> None:
    assert where("size = -1", FIELDS, 1).arguments == (-1,)


def test_parameters_are_counted_from_where_the_query_ends() -> None:
    found = where("size = 1 AND name = x", FIELDS, 4)
    assert found.sql == "(t.size = $4::bigint AND t.name = $5::text)"
    assert found.arguments == (1, "x")


def test_a_time_is_read_as_utc() -> None:
    (found,) = where("time >= 2026-03-01T01:00:00+01:00", FIELDS, 1).arguments
    assert found == datetime(2026, 3, 1, tzinfo=UTC)
    assert where('time >= "2026-03-01"', FIELDS, 1).arguments == (found,)


def test_keys_may_be_quoted_and_have_dots() -> None:
    assert where('tags."a b" = x', FIELDS, 1).arguments == ("a b", "x")
    assert where("tags.mlflow.user = x", FIELDS, 1).arguments == ("mlflow.user", "x")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("colour = red", "Filter by one of alias, is_open, name, resource, score, size, state"),
        ("size", "Write one of = != < <= > >= : IN LIKE after the field"),
        ("size =", "Write a value there"),
        ("= 1", "Write the name of a field"),
        ("(size = 1", "Close the parenthesis"),
        ("size = 1)", "Balance the parentheses"),
        ('name = "a', "Close the quotation marks"),
        ("size = 1.5", "Compare size with a whole number"),
        ("size = 9223372036854775808", "Compare size with a whole number of 64 bits"),
        ("score = nan", "Compare score with a finite number"),
        ("is_open = yes", "Compare is_open with true or false"),
        ("is_open < true", "Compare is_open with = or != only"),
        ("state = OPEN", "Compare state with one of ACTIVE, ARCHIVED"),
        ("time = yesterday", "Compare time with a time as in 2026"),
        ("name.key = 1", "Write name without a key"),
        ("tags = 1", "Ask for a name in tags"),
        ("alias < a", "Ask for a name in alias"),
        ("size : 1", "Compare size with = or another comparator than :"),
        (" AND ".join(["size = 1"] * (MAX_TERMS + 1)), "Write at most 100 comparisons"),
        ("(" * (MAX_DEPTH + 1) + "size = 1" + ")" * (MAX_DEPTH + 1), "Nest the filter at most"),
        ("NOT (" * MAX_DEPTH + "size = 1" + ")" * MAX_DEPTH, "Nest the filter at most"),
    ],
)
def test_a_wrong_filter_is_answered_with_what_to_do(text: str, advice: str) -> None:
    with pytest.raises(Invalid) as caught:
        where(text, FIELDS, 1)
    assert advice in caught.value.message


def test_a_long_filter_gives_the_planner_few_joins_to_order() -> None:
    found = sql(" AND ".join(["tags.k = x"] * MAX_TERMS))
    assert found.count("EXISTS") == MAX_TERMS
    assert found.count("IS TRUE") == MAX_TERMS - MAX_JOINS


def test_a_long_filter_is_read_in_time() -> None:
    with pytest.raises(Invalid):
        parse("(" * 16_000)
    with pytest.raises(Invalid):
        parse('"' + "\\" * 16_000)
    parse(" ".join(["size=1"] * MAX_TERMS) + " " * 10_000)
