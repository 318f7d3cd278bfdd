"""Writes filters: the way back from what a filter says to its text."""

from typing import assert_never

from assay_serve.filter_parser import And, Expression, Not, Or, Restriction


def written(expression: Expression) -> str:
    """Return a filter that says this."""
    match expression:
        case And(terms=()):
            return ""
        case And(terms=terms):
            return "(" + " AND ".join(map(written, terms)) + ")"
        case Or(terms=terms):
            return "(" + " OR ".join(map(written, terms)) + ")"
        case Not(term=term):
            return f"NOT ({written(term)})"
        case Restriction(field=field, key=key):
            name = f"{field}.{quoted(key)}" if key else field
            if expression.comparator == "IN":
                return f"{name} IN ({', '.join(map(quoted, expression.values))})"
            value = quoted(expression.value) if expression.is_quoted else expression.value
            return f"{name} {expression.comparator} {value}"
    assert_never(expression)


def quoted(text: str) -> str:
    """Return a value or key in quotation marks."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
