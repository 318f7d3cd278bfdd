"""The same conditions in cel-python, which shares no code with the library that decides."""

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import BoolType
from celpy.celtypes import Value as CelValue
from celpy.evaluation import CELEvalError

from assay_approval.conditions import Inputs

_ENVIRONMENT = celpy.Environment()


def is_satisfied(expression: str, inputs: Inputs) -> bool:
    """Return whether it is true there; an error is "not satisfied", as with ours."""
    try:
        result = program(expression).evaluate(context(inputs))
    except (CELEvalError, ValueError):
        return False
    return isinstance(result, BoolType) and bool(result)


def program(expression: str) -> celpy.Runner:
    """Return the expression, ready to be evaluated there."""
    return _ENVIRONMENT.program(_ENVIRONMENT.compile(expression))


def context(inputs: Inputs) -> dict[str, CelValue]:
    """Return the variables, those with dots in their names as maps within maps."""
    whole: dict[str, object] = {}
    for name, value in inputs.values.items():
        *above, last = name.split(".")
        place = whole
        for part in above:
            below = place.setdefault(part, {})
            assert isinstance(below, dict)
            place = below
        place[last] = value
    return {name: json_to_cel(value) for name, value in whole.items()}  # type: ignore[arg-type]
