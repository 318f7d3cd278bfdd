"""Filters as SQL: only listed fields, and every value a bind parameter."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import NoReturn, TypeAlias, assert_never

from assay_serve.filter_parser import And, Expression, Not, Or, Restriction, parse
from assay_serve.refusals import bad_filter

Scalar: TypeAlias = str | int | float | bool | datetime
Argument: TypeAlias = Scalar | list[Scalar]
MAX_INTEGER = 2**63
MAX_JOINS = 4


class Kind(Enum):
    """What a column holds; the value is its type in SQL."""

    TEXT = "text"
    RESOURCE = "resource"
    CHOICE = "choice"
    INTEGER = "bigint"
    NUMBER = "double precision"
    BOOLEAN = "boolean"
    TIME = "timestamptz"


@dataclass(frozen=True, slots=True)
class Column:
    """A field that may be filtered: an SQL expression and what it holds.

    `choices` gives the words of a CHOICE and what the column holds for each. The comparator `:`
    asks of TEXT whether it contains the value, of RESOURCE whether it is that or lies below it.
    """

    sql: str
    kind: Kind = Kind.TEXT
    choices: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entries:
    """A field that is a map or a list of names, kept as rows of a table of its own.

    `rows` is a subquery without a closing parenthesis that ends in a condition, as in
    `SELECT 1 FROM tag t WHERE t.version = v.id`; `key` and `value` are its expressions. Leave
    `value` away for a list of names: `alias = "champion"`, or with `:`, asks whether it holds one.
    """

    rows: str
    key: str
    value: Column | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """A field with parts that are known: `card.purpose` is the column of `purpose`."""

    columns: Mapping[str, Column]


Fields: TypeAlias = Mapping[str, Column | Entries | Parts]


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in SQL with the arguments of its parameters."""

    sql: str
    arguments: tuple[Argument, ...]


def where(text: str, fields: Fields, first_argument: int) -> Where:
    """Return the condition of the filter `text`; its parameters count from `first_argument`."""
    return to_sql(parse(text), fields, first_argument)


def to_sql(expression: Expression, fields: Fields, first_argument: int) -> Where:
    """Return the condition that `expression` means over `fields`."""
    writer = _Writer(fields, first_argument)
    return Where(writer.write(expression), tuple(writer.arguments))


class _Writer:
    """Writes one condition and collects its arguments."""

    def __init__(self, fields: Fields, first_argument: int) -> None:
        self._fields = fields
        self._first = first_argument
        self._subqueries = 0
        self.arguments: list[Argument] = []

    def write(self, expression: Expression) -> str:
        match expression:
            case And(terms=terms):
                return self._join("AND", terms) if terms else "TRUE"
            case Or(terms=terms):
                return self._join("OR", terms)
            case Not(term=term):
                # An absent value is no match: NOT turns "unknown" into true, as it does false.
                return f"({self.write(term)}) IS NOT TRUE"
            case Restriction():
                return self._restriction(expression)
        assert_never(expression)

    def _join(self, word: str, terms: Sequence[Expression]) -> str:
        return "(" + f" {word} ".join(self.write(term) for term in terms) + ")"

    def _restriction(self, asked: Restriction) -> str:
        known = self._fields.get(asked.field)
        if known is None:
            names = ", ".join(sorted(self._fields))
            raise bad_filter(f"Filter by one of {names}; {asked.field} is none of them.")
        if isinstance(known, Entries):
            return self._entries(known, asked)
        if isinstance(known, Parts):
            return self._compare(_part(known, asked), asked)
        if asked.key:
            raise bad_filter(f"Write {asked.field} without a key: it holds one value.")
        return self._compare(known, asked)

    def _entries(self, known: Entries, asked: Restriction) -> str:
        if asked.key and known.value is None:
            raise bad_filter(f"Write {asked.field} without a key: it is a list of names.")
        if asked.key and known.value is not None:
            test = f"{known.key} = {self._bind(asked.key, 'text')}"
            if asked.comparator == ":" and asked.value == "*" and not asked.is_quoted:
                return self._exists(f"{known.rows} AND {test}")
            return self._exists(f"{known.rows} AND {test} AND {self._compare(known.value, asked)}")
        if known.value is None and asked.comparator in {"IN", "LIKE"}:
            return self._exists(f"{known.rows} AND {self._compare(Column(known.key), asked)}")
        if asked.comparator != ":" and (asked.comparator != "=" or known.value is not None):
            raise bad_filter(f'Ask for a name in {asked.field} as in {asked.field}:"name".')
        return self._exists(f"{known.rows} AND {known.key} = {self._bind(asked.value, 'text')}")

    def _exists(self, rows: str) -> str:
        """Return whether there are rows; only the first few may become joins, which are planned."""
        self._subqueries += 1
        return f"EXISTS ({rows})" + (" IS TRUE" if self._subqueries > MAX_JOINS else "")

    def _compare(self, column: Column, asked: Restriction) -> str:
        if asked.comparator == "IN":
            return self._in(column, asked)
        if asked.comparator == "LIKE":
            return self._like(column, asked)
        argument = _argument(column, asked)
        if asked.comparator == ":":
            return self._has(column, asked, argument)
        comparator = "<>" if asked.comparator == "!=" else asked.comparator
        if column.kind in {Kind.BOOLEAN, Kind.CHOICE} and comparator not in {"=", "<>"}:
            raise bad_filter(f"Compare {asked.field} with = or != only.")
        collation = ' COLLATE "C"' if _is_text(column.kind) and comparator not in "=<>" else ""
        bound = self._bind(argument, _sql_type(column, argument))
        return f"{column.sql}{collation} {comparator} {bound}"

    def _in(self, column: Column, asked: Restriction) -> str:
        values = [_argument(column, replace(asked, value=value)) for value in asked.values]
        return f"{column.sql} = ANY ({self._bind(values, f'{_sql_type(column, values[0])}[]')})"

    def _like(self, column: Column, asked: Restriction) -> str:
        if not _is_text(column.kind):
            raise bad_filter(f"Compare {asked.field} with = or another comparator than LIKE.")
        return f"{column.sql} LIKE {self._bind(_pattern(asked), 'text')}"

    def _has(self, column: Column, asked: Restriction, argument: Scalar) -> str:
        if column.kind is Kind.TEXT:
            return f"position({self._bind(argument, 'text')} in {column.sql}) > 0"
        if column.kind is Kind.RESOURCE:
            same, low, high = (
                self._bind(f"{argument}{end}", "text")
                for end in ("", "/", "0")  # "0" follows "/" in the order of code points
            )
            ordered = f'{column.sql} COLLATE "C"'
            return f"({column.sql} = {same} OR ({ordered} > {low} AND {ordered} < {high}))"
        raise bad_filter(f"Compare {asked.field} with = or another comparator than :.")

    def _bind(self, argument: Argument, sql_type: str) -> str:
        self.arguments.append(argument)
        return f"${self._first + len(self.arguments) - 1}::{sql_type}"


def _part(known: Parts, asked: Restriction) -> Column:
    column = known.columns.get(asked.key)
    if column is None:
        names = ", ".join(f"{asked.field}.{part}" for part in known.columns)
        raise bad_filter(f"Filter {asked.field} by one of {names}.")
    return column


def _pattern(asked: Restriction) -> str:
    """Return the pattern of a LIKE; Postgres refuses one that ends in the sign that quotes."""
    without_pairs = asked.value.replace("\\\\", "")
    if without_pairs.endswith("\\"):
        raise bad_filter(f"End the pattern for {asked.field} in something else than a backslash.")
    return asked.value


def _is_text(kind: Kind) -> bool:
    return kind in {Kind.TEXT, Kind.RESOURCE}


def _sql_type(column: Column, argument: Scalar) -> str:
    if column.kind is Kind.CHOICE:
        return "text" if isinstance(argument, str) else "bigint"
    return "text" if column.kind is Kind.RESOURCE else column.kind.value


def _argument(column: Column, asked: Restriction) -> Scalar:
    match column.kind:
        case Kind.TEXT | Kind.RESOURCE:
            return asked.value
        case Kind.CHOICE:
            return _choice(column, asked)
        case Kind.INTEGER:
            return _integer(asked)
        case Kind.NUMBER:
            return _number(asked)
        case Kind.BOOLEAN:
            return _boolean(asked)
        case Kind.TIME:
            return _time(asked)
    assert_never(column.kind)


def _choice(column: Column, asked: Restriction) -> Scalar:
    if asked.value not in column.choices:
        _refuse(asked, f"one of {', '.join(column.choices)}")
    return column.choices[asked.value]


def _integer(asked: Restriction) -> Scalar:
    try:
        value = int(asked.value) if len(asked.value) <= len(str(MAX_INTEGER)) else MAX_INTEGER
    except ValueError:
        _refuse(asked, "a whole number")
    if not -MAX_INTEGER <= value < MAX_INTEGER:
        _refuse(asked, "a whole number of 64 bits")
    return value


def _number(asked: Restriction) -> Scalar:
    try:
        value = float(asked.value)
    except ValueError:
        _refuse(asked, "a number")
    if not math.isfinite(value):
        _refuse(asked, "a finite number")
    return value


def _boolean(asked: Restriction) -> Scalar:
    if asked.value not in {"true", "false"}:
        _refuse(asked, "true or false")
    return asked.value == "true"


def _time(asked: Restriction) -> Scalar:
    try:
        value = datetime.fromisoformat(asked.value)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        _refuse(asked, "a time as in 2026-03-01T00:00:00Z")


def _refuse(asked: Restriction, wanted: str) -> NoReturn:
    raise bad_filter(f"Compare {asked.field} with {wanted}.")
