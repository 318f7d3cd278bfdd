"""Laws of conditions: nothing raises, nothing hangs, a replay decides the same."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_approval.cel.profile import VARIABLES
from assay_approval.cel.spelling import BadInputs, Value
from assay_approval.conditions import BadCondition, Inputs, Verdict, compile_condition
from tests.unit.assay_approval import conditions_in_cel_python
from tests.unit.assay_approval import conditions_sample as sample

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
WORDS = r"""
! - + * / % < <= > >= == != && || ? : ( ) [ ] { } , . in // ''' " true false null
0 1 -1 90.0 1e999 9223372036854775807 1u "" "auc" "é" r"\" b"a" x x.y size( has( int( double(
string( contains( startsWith( .size() .matches( .all(x, .exists(x, .exists_one(x, .filter(x,
.map(x, .map(x,x, dyn( timestamp( version.metrics["auc"] google.protobuf.Struct{
"""
TOKENS = st.sampled_from([*VARIABLES, *WORDS.split(), "lineage.datasets.all(x, x.digest", "\n"])
_SCALARS: dict[str, st.SearchStrategy[Value]] = {
    "string": TEXTS,
    "bool": st.booleans(),
    "int": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
}


def of_kind(kind: str) -> st.SearchStrategy[Value]:
    """Return any value of a type of the profile."""
    if kind == "list<map<string,string>>":
        row = st.fixed_dictionaries({"name": TEXTS, "digest": TEXTS, "split": TEXTS})
        return st.lists(row, max_size=3)
    if kind.startswith("list<"):
        return st.lists(of_kind(kind[5:-1]), max_size=3)
    if kind.startswith("map<"):
        return st.dictionaries(TEXTS, of_kind(kind[11:-1]), max_size=3)
    return _SCALARS[kind]


all_values = st.fixed_dictionaries({}, optional={name: of_kind(k) for name, k in VARIABLES.items()})


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    """Return any inputs whose texts are in NFC."""
    values = draw(all_values)
    try:
        return Inputs(values)
    except BadInputs:
        return Inputs({})


# Whole conditions, and parts of them put together anew: most are refused, many are not.
OPERANDS = st.sampled_from(
    [
        'version.metrics["auc"]',
        "version.metrics.f1",
        "card.completeness",
        "0.9",
        "1.0 / 0.0",
        'double(attached["bias-report"]["gap"])',
        "double(version.number)",
        'double("nan")',
    ]
)
COMPARISONS = st.builds(
    "{} {} {}".format, OPERANDS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), OPERANDS
)
BOOLEANS = st.recursive(
    st.one_of(COMPARISONS, st.sampled_from(sample.SATISFIED + sample.UNSATISFIED)),
    lambda inner: st.one_of(
        st.builds("!({})".format, inner),
        st.builds("({}) && ({})".format, inner, inner),
        st.builds("({}) || ({})".format, inner, inner),
        st.builds("({}) ? ({}) : ({})".format, inner, inner, inner),
        st.builds("lineage.datasets.all(item, {})".format, inner),
    ),
    max_leaves=4,
)
SOUP = st.lists(TOKENS, max_size=12).map(" ".join)
EXPRESSIONS = st.one_of(BOOLEANS, SOUP, st.text(max_size=60))


@settings(deadline=None, max_examples=400)
@given(EXPRESSIONS, inputs())
def test_any_text_is_refused_in_a_sentence_or_gives_a_verdict(text: str, given: Inputs) -> None:
    try:
        verdict = compile_condition("any", text).evaluate(given)
    except BadCondition as refused:
        verdict = Verdict(satisfied=False, detail=str(refused))
    assert verdict.satisfied == (verdict.detail == "")
    assert verdict.satisfied or verdict.detail.endswith(".")


@pytest.mark.requirement("W11")
@settings(deadline=None, max_examples=200)
@given(BOOLEANS, inputs())
def test_a_replay_from_the_recorded_bytes_decides_the_same(text: str, given: Inputs) -> None:
    try:
        condition = compile_condition("any", text)
    except BadCondition:
        return
    assert condition.evaluate(Inputs.from_bytes(given.to_bytes())) == condition.evaluate(given)


@settings(deadline=None)
@given(all_values)
def test_inputs_come_back_from_their_bytes(values: dict[str, Value]) -> None:
    try:
        made = Inputs(values)
    except BadInputs:
        return
    again = Inputs.from_bytes(made.to_bytes())
    assert again == made
    assert (again.to_bytes(), again.digest) == (made.to_bytes(), made.digest)


@given(
    st.one_of(
        st.binary(max_size=64),
        st.text(max_size=64).map(lambda text: text.encode("utf-8", "replace")),
    )
)
def test_any_bytes_are_inputs_or_are_refused(data: bytes) -> None:
    try:
        again = Inputs.from_bytes(data).to_bytes()
    except BadInputs:
        return
    assert again == data


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_metric_is_compared_as_the_double_it_is(value: float) -> None:
    given = Inputs.from_bytes(Inputs({"version.metrics": {"m": value}}).to_bytes())
    same = f'version.metrics["m"] == {value!r}'
    assert math.isfinite(value)
    assert compile_condition("same", same).evaluate(given) == Verdict(satisfied=True)
    above = f'version.metrics["m"] > {value!r}'
    assert not compile_condition("above", above).evaluate(given).satisfied


@settings(deadline=None, max_examples=60)
@given(BOOLEANS)
def test_another_library_comes_to_the_same(text: str) -> None:
    try:
        condition = compile_condition("any", text)
    except BadCondition:
        return
    try:
        theirs = conditions_in_cel_python.is_satisfied(text, sample.inputs())
    except IndexError:  # it fails to print some of the expressions that it finds an error in
        return
    assert condition.evaluate(sample.inputs()).satisfied == theirs
