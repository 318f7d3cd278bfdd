"""Whatever text comes as a filter: it is refused as one, or becomes SQL without a word of it."""

import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid
from assay_serve.filter_parser import And, Expression, Not, Or, Restriction, parse
from assay_serve.filtering import Column, Entries, Fields, Kind, Parts, Where, where
from tests.support.filters import written

FIELDS: Fields = {
    "number": Column("v.number", Kind.INTEGER),
    "name": Column("v.name"),
    "score": Column("v.score", Kind.NUMBER),
    "state": Column("v.state", Kind.CHOICE, {"ACTIVE": "A", "ARCHIVED": "B"}),
    "is_open": Column("v.is_open", Kind.BOOLEAN),
    "at": Column("v.at", Kind.TIME),
    "run": Column("v.run", Kind.RESOURCE),
    "tags": Entries("SELECT FROM tag t WHERE t.v = v.id", "t.key", Column("t.value")),
    "alias": Entries("SELECT FROM alias a WHERE a.v = v.id", "a.label"),
    "card": Parts({"purpose": Column("v.card->>'purpose'")}),
}
CORPUS = [
    "",
    "number = 1",
    "-number = 1",
    "NOT (number = 1 OR name : 'x') tags.a = b",
    "tags.\"odd key\" = 'it''s'",
    "name IN ('a', b,c) AND state NOT IN (ACTIVE)",
    r'name LIKE "50\\%\_%"',
    r'name LIKE "\\"',
    "name NOT LIKE x%",
    "alias:champion OR alias IN (a) OR alias LIKE 'c%'",
    "card.purpose : credit",
    "'; DROP TABLE version; --",
    "name = '; DROP TABLE version; --'",
    "name = $1 OR name = $2::text",
    "IN IN (IN)",
    "number = NaN",
    "score = 1e999",
    "score = 0x10",
    "number = 9223372036854775808",
    "at > 9999-99-99",
    "number IN (1,)",
    "number IN (,)",
    "number IN",
    "number LIKE",
    "NOT",
    "NOT NOT number = 1",
    "((((((((((((((((((((((",
    "))))",
    "a.b.c.d = 1",
    "tags.a:*",
    "number=1AND number=2",
    "\N{MATHEMATICAL BOLD SCRIPT SMALL N}umber = \N{ARABIC-INDIC DIGIT ONE}",
    "name = '\x00'",
    "name = '\\",
]
WORDS = [
    *FIELDS, "AND", "OR", "NOT", "IN", "LIKE", "(", ")", ",", ".", "=", "!=", "<", ":", "-", "'",
    '"', "\\", "%", "_", "*", " ", "1", "ACTIVE", "true", "2026-03-01", "x", "é", "$1", ";", "\n",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=30).map("".join),
)  # fmt: skip
OURS = re.compile(
    r"""[()=<>.!]|->>'purpose'|::|\$\d+|COLLATE\ "C"|\s|\[\]|'purpose'|
    \b(AND|OR|NOT|IS|TRUE|LIKE|ANY|EXISTS|SELECT|FROM|WHERE|position|in|text|bigint|double|precision|
    timestamptz|boolean|v|t|a|id|tag|alias|key|value|label|number|name|score|state|is_open|at|run|
    card|0)\b""",
    re.VERBOSE,
)


def check(text: str) -> None:
    try:
        found = where(text, FIELDS, 3)
    except Invalid as refusal:
        told = refusal
    else:
        _check_sql(found)
        return
    assert told.reason == Reason.REASON_BAD_FILTER
    assert told.message.endswith(".")


def _check_sql(found: Where) -> None:
    assert OURS.sub("", found.sql) == ""
    parameters = {int(number) for number in re.findall(r"\$(\d+)", found.sql)}
    assert parameters == set(range(3, 3 + len(found.arguments)))


@pytest.mark.parametrize("text", CORPUS)
def test_the_corpus_is_refused_or_understood(text: str) -> None:
    check(text)


@given(texts)
@example("name IN (')")
@example("number IN (1, 2")
def test_any_text_is_refused_or_becomes_sql_of_our_own_words(text: str) -> None:
    check(text)


names = st.text(min_size=1, max_size=8)
restrictions = st.one_of(
    st.builds(
        Restriction, st.sampled_from(["name", "run"]), st.just(""),
        st.sampled_from(["=", "!=", "<", ">=", ":", "LIKE"]), names, st.just(value=True),
    ),
    st.builds(
        lambda values: Restriction("name", "", "IN", "", True, tuple(values)),  # noqa: FBT003
        st.lists(names, min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, value: Restriction("tags", key, "=", value, True), names, names  # noqa: FBT003
    ),
)  # fmt: skip
expressions: st.SearchStrategy[Expression] = st.recursive(
    restrictions,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
    ),
    max_leaves=8,
)


@given(expressions)
def test_what_is_written_is_read_again(expression: Expression) -> None:
    text = written(expression)
    with suppress(Invalid):  # NUL characters, and what nests too deep
        assert parse(text) == expression
    if "\0" not in text and text.count("(") < 20:
        assert parse(text) == expression
