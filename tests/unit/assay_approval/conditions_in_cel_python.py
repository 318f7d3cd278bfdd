"""The same conditions in cel-python, which shares no code with the library that decides."""

from collections.abc import Mapping

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import BoolType
from celpy.celtypes import Value as CelValue
from celpy.evaluation import CELEvalError

from assay_approval.cel.spelling import Value
from assay_approval.conditions import Inputs

_ENVIRONMENT = celpy.Environment()


def is_satisfied(expression: str, inputs: Inputs) -> bool:
    """Return whether it is true there; an error is "not satisfied", as with ours."""
    program = _ENVIRONMENT.program(_ENVIRONMENT.compile(expression))
    try:
        result = program.evaluate(_context(inputs.values))
    except (CELEvalError, ValueError):
        return False
    return isinstance(result, BoolType) and bool(result)


def _context(values: Mapping[str, Value]) -> dict[str, CelValue]:
    """Return the variables, those with dots in their names as maps within maps."""
    whole: dict[str, object] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        place = whole
        for part in above:
            below = place.setdefault(part, {})
            assert isinstance(below, dict)
            place = below
        place[last] = value
    return {name: json_to_cel(value) for name, value in whole.items()}  # type: ignore[arg-type]
