"""Ours and cel-python agree on every condition; where they differ is written down, and tested."""

import pytest

from assay_approval.conditions import Inputs, compile_condition
from tests.unit.assay_approval import conditions_in_cel_python
from tests.unit.assay_approval import conditions_sample as sample

CORPUS = (
    *sample.SATISFIED,
    *sample.UNSATISFIED,
    'int("9223372036854775808") > 0',
    "9223372036854775807 * 2 > 0",
    "-9223372036854775808 == -9223372036854775808",
    'double("1e999") > 1.0 && double("Infinity") > 1.0 && double("-0") == 0.0',
    'double(" 1 ") == 1.0 && int(" 1 ") == 1 && int("+5") == 5 && int("-0") == 0',
    'int("") == 0',
    "double(9007199254740993) == 9007199254740992.0",
    'double("nan") != double("nan")',
    'string(-9223372036854775808) == "-9223372036854775808"',
    'size("e\\u0301") == 2 && "\\u00e9" == "é" && r"\\n" == "\\\\n"',
    'size("👨\\u200d👩") == 3 && "😀" > "\\uffff" && "ß" != "ss"',
    '"""a"b""" == "a\\"b"',
    "0x10 == 16 && 1e3 == 1000.0 && 5 - -3 == 8 && !!true",
    '{"a": 1, "b": 2}.all(key, key < "c") && "a" in {"a": 1} && !(3 in [1, 2])',
    "[1, 2, 3].exists_one(x, x > 2) && [3.0, 1.0][1] < 2.0",
    "1.0 / 0.0 == 1.0 / 0.0",
    'model.owners.exists(owner, int(owner) == 1 || owner == "teams/risk")',
    "model.owners.all(owner, int(owner) == 1 && false)",
    'model.owners.all(owner, int(owner) == 1 || owner != "")',
    'lineage.datasets[0].nope == ""',
    "(false && 1 / 0 == 1) == false && (true ? true : 1 / 0 == 1)",
    'version.metrics["f1"] > 0.0 && false == false',
)
# What CEL's specification leaves open, or cel-python does in Python's way: ours, theirs.
DIFFERENCES = (
    ('lineage.datasets.map(d, d.split == "test", d.name).size() == 1', True, False),  # no filter
    ("0.0 / 0.0 != 0.0 / 0.0", True, False),  # NaN by IEEE 754; there infinity
    ('double("0x1p3") == 8.0', True, False),  # C reads hexadecimal doubles
    ('double("1_0") == 10.0', False, True),  # Python reads underscores
    ('int("1_0") == 10', False, True),
    ('int("\u0661") == 1', False, True),  # Python reads Arabic digits
    ('lineage.datasets[-1].name == "customers"', False, True),  # Python counts from the end
)


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return sample.inputs()


def ours(expression: str, inputs: Inputs) -> bool:
    return compile_condition("it", expression).evaluate(inputs).satisfied


@pytest.mark.parametrize("expression", CORPUS)
def test_both_come_to_the_same(expression: str, inputs: Inputs) -> None:
    assert ours(expression, inputs) == conditions_in_cel_python.is_satisfied(expression, inputs)


@pytest.mark.parametrize(("expression", "here", "there"), DIFFERENCES)
def test_the_differences_are_these(
    expression: str, here: bool, there: bool, inputs: Inputs
) -> None:
    assert ours(expression, inputs) is here
    assert conditions_in_cel_python.is_satisfied(expression, inputs) is there
