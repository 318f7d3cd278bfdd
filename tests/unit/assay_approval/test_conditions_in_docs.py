"""docs/policies.md tells the truth: its examples are evaluated, its table is the profile's."""

import re
from pathlib import Path

import pytest

from assay_approval.cel.profile import VARIABLES
from assay_approval.conditions import BadCondition, compile_condition
from tests.unit.assay_approval import conditions_sample as sample

PAGE = (Path(__file__).parents[3] / "docs/policies.md").read_text()


def examples(kind: str) -> list[str]:
    """Return the lines of the page's blocks of a kind."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("expression", examples("cel"))
def test_an_example_is_true_of_the_sample(expression: str) -> None:
    verdict = compile_condition("example", expression).evaluate(sample.inputs())
    assert (verdict.satisfied, verdict.detail) == (True, "")


@pytest.mark.parametrize("expression", examples("cel-refused"))
def test_an_example_of_what_is_refused_is_refused(expression: str) -> None:
    with pytest.raises(BadCondition):
        compile_condition("example", expression)


def test_there_are_examples() -> None:
    assert len(examples("cel")) > 9
    assert len(examples("cel-refused")) > 5


def test_the_table_has_every_variable_and_its_type() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([a-z<>,]+) \|", PAGE, re.MULTILINE)
    assert dict(rows) == VARIABLES
    assert [name for name, _ in rows] == list(VARIABLES)


def test_every_variable_is_in_the_sample() -> None:
    assert sample.inputs().values.keys() == VARIABLES.keys()
