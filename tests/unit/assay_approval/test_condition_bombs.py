"""Expressions that are built to take long, or to bring the process down, do neither."""

import pytest

from assay_approval.conditions import BadCondition, Inputs, compile_condition

MANY = Inputs(
    {
        "lineage.trainers": [str(number) for number in range(1500)],
        "lineage.inputs": ["x"] * 1500,
        "lineage.datasets": [{"name": "", "digest": "", "split": ""}] * 400,
        "card.purpose": "a" * 12_000,
        "card.limits": "a" * 12_000,
    }
)


def repeated(operation: str, times: int) -> str:
    return f"lineage.trainers.all(x, {' && '.join([operation] * times)})"


STOPPED = {
    "search a list for each item": repeated("!(x in lineage.inputs)", 60),
    "search a text for each item": repeated('!card.purpose.contains("aaaaaaaaab")', 40),
    "measure a text for each item": repeated("size(card.purpose) > 0", 60),
    "compare long texts for each item": repeated("card.purpose == card.limits", 50),
    "make a map with a long key for each item": repeated("(has({card.purpose: 1}.a) || true)", 40),
    "copy a list for each item": "lineage.trainers.filter(x, true).size() > 0",
    "copy a list again and again": "lineage.trainers" + ".map(x, x)" * 20 + ".size() > 0",
    "build a list of lists": f"lineage.trainers.map(x, [{','.join(['x'] * 900)}]).size() > 0",
    "go through a list of the expression": (
        f"[{','.join('1' * 600)}].all(x, {' && '.join(['x == 1'] * 40)})"
    ),
}
REFUSED = {
    "loops in loops": "lineage.inputs.all(a, lineage.inputs.all(b, lineage.inputs.all(c, true)))",
    "whole lists compared": repeated("lineage.datasets == lineage.datasets", 40),
    "parentheses": "(" * 1000 + "true" + ")" * 1000,
    "lists": "[" * 1000 + "]" * 1000,
    "maps": "{1:" * 500 + "1" + "}" * 500,
    "calls": "size(" * 400,
    "fields": "attached" + ".a" * 1000 + " == 1",
    "indexes": "lineage.inputs" + "[0]" * 600 + " == ''",
    "sums": "1" + "+1" * 1000 + " == 1",
    "conditionals": "true ? true : " * 140 + "true",
    "questions": "true ? " * 250,
    "ands of nothing": "&&" * 1000,
    "a long number": "9" * 2000 + " == 1",
    "a lone quote": "'" + "x" * 2000,
}


@pytest.mark.parametrize("expression", STOPPED.values(), ids=STOPPED)
def test_a_bomb_is_not_satisfied_and_told_apart(expression: str) -> None:
    verdict = compile_condition("bomb", expression).evaluate(MANY)
    assert not verdict.satisfied
    assert verdict.detail == "It repeats too much: read less within all, exists, map or filter."


def test_what_a_filter_copies_counts_more_than_a_comparison() -> None:
    inputs = Inputs({"lineage.trainers": ["x"] * 1300})
    for expression, satisfied in (
        ('lineage.trainers.all(x, x != "" && x != "a" && x != "b")', True),
        ("lineage.trainers.filter(x, true).size() > 0", False),
    ):
        assert compile_condition("one", expression).evaluate(inputs).satisfied is satisfied


def test_the_library_itself_stops_after_10_000_items() -> None:
    expression = " && ".join(["lineage.trainers.all(x, true)"] * 8)
    verdict = compile_condition("bomb", expression).evaluate(MANY)
    assert not verdict.satisfied
    assert verdict.detail == "It can't be evaluated: Iteration budget exceeded."


@pytest.mark.parametrize("expression", REFUSED.values(), ids=REFUSED)
def test_a_bomb_that_shows_is_refused_when_compiled(expression: str) -> None:
    with pytest.raises(BadCondition):
        compile_condition("bomb", expression)


@pytest.mark.parametrize(
    "expression", ["!" * 2000 + "true", "true" + " && true" * 250, "-" * 1990 + "1 == 1"]
)
def test_what_is_long_but_harmless_is_true(expression: str) -> None:
    assert compile_condition("long", expression).evaluate(MANY).satisfied


def test_what_an_ordinary_version_needs_is_far_from_any_bound() -> None:
    rows = [{"name": f"d{n}", "digest": f"sha256:{n:064d}", "split": "train"} for n in range(100)]
    metrics = {f"metric_{number}": 0.5 for number in range(200)}
    inputs = Inputs({"lineage.datasets": rows, "version.metrics": metrics})
    for expression in (
        'lineage.datasets.all(d, d.digest.startsWith("sha256:") && d.split in ["train", "test"])',
        'lineage.datasets.filter(d, d.split == "train").size() == 100',
        "version.metrics.all(m, version.metrics[m] >= 0.0 && version.metrics[m] <= 1.0)",
    ):
        verdict = compile_condition("usual", expression).evaluate(inputs)
        assert (verdict.satisfied, verdict.detail) == (True, "")
