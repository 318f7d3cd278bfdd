"""What every version found must meet, as joins: the planner may begin with any of them.

Each joined table has a row for what a version may be found by; its `registered`, the revision of
the registration, tells the version.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard
from uuid import UUID

from assay_metadata.queries import terms, versions
from assay_serve.filter_parser import And, Expression, Not, Or, Restriction
from assay_serve.filtering import Column, Entries, Fields, Kind, to_sql

MOST_JOINS = 6  # more would have the planner try too many orders
WORDS = """(to_tsvector('simple', split_part(v.model, '/', 4) || ' '
    || translate(split_part(v.model, '/', 4), '._-', '   ') || ' ' || v.description)
    || to_tsvector('simple', v.card))"""
# What is registered later is not there yet: the planner must not count once more, and so takes the
# comparison of from_revision for one that nearly all rows pass.
_AT = "({row}.from_revision > $1)::int <> 1 AND {row}.to_revision > $1"
_VERSION = "version v"
_ORDERED = frozenset({"=", "<", "<=", ">", ">="})


@dataclass(slots=True)
class Statement:
    """A statement as it is put together; `rest` is what is left to the filter.

    $1 is the revision, $2 the namespace.
    """

    arguments: list[object]
    tables: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    rest: list[Expression] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    is_by_number: bool = False
    is_distinct: bool = False

    @property
    def base(self) -> str:
        """The row that tells the version and by which results are ordered."""
        is_version = self.is_by_number or self.models or self.tables[:1] in ([], [_VERSION])
        return "v" if is_version else "f0"

    @property
    def namespace(self) -> str:
        """The namespace that is searched."""
        return str(self.arguments[1])

    def bind(self, argument: object, sql_type: str) -> str:
        """Return the parameter that stands for a value."""
        self.arguments.append(argument)
        return f"${len(self.arguments)}::{sql_type}"

    def join(self, table: str, wanted: Sequence[UUID], *, is_temporal: bool) -> str:
        """Add the rows of a table that have one of some terms; return the name of such a row."""
        row = f"f{len(self.tables)}"
        self.tables.append(f"{table} {row}")
        if len(wanted) == 1:
            self.conditions.append(f"{row}.term = {self.bind(wanted[0], 'uuid')}")
        else:
            self.conditions.append(f"{row}.term = ANY ({self.bind(list(wanted), 'uuid[]')})")
        self.conditions.append(f"{row}.registered <= $1")
        if is_temporal:
            self.conditions.append(_AT.format(row=row))
        if row != "f0":
            self.conditions.append(f"{row}.registered = f0.registered")
        return row

    def select(self, columns: str) -> str:
        """Return the statement, up to its conditions."""
        distinct = "DISTINCT " if self.is_distinct else ""
        conditions = " AND ".join(self.conditions)
        return f"SELECT {distinct}{columns} FROM {', '.join(self.tables)} WHERE {conditions}"  # noqa: S608 - put together from constants


def read_filter(expression: Expression, statement: Statement) -> None:
    """Join what every result must meet, and leave the rest to the condition."""
    for term in expression.terms if isinstance(expression, And) else (expression,):
        if isinstance(term, And):
            read_filter(term, statement)
        elif not _joined(term, statement):
            # A comparison with rows elsewhere is no place to begin: the planner must not join it.
            statement.rest.append(Not(Not(term)) if _is_elsewhere(term) else term)


def join_metric(key: str, statement: Statement) -> str:
    """Join all metrics with a key."""
    wanted = [terms.metric(statement.namespace, key)]
    return statement.join("version_metric", wanted, is_temporal=False)


def finish(text: str, statement: Statement) -> None:
    """Add the versions themselves, where anything is asked of them, and the words to look for."""
    is_asked = statement.rest or statement.models or text.strip() or statement.is_by_number
    if statement.tables and not is_asked:
        statement.conditions.append("$2::text IS NOT NULL")  # else its type is not known
        return
    if statement.tables:
        statement.conditions.append("v.registered = f0.registered")
    statement.tables.append(_VERSION)
    statement.conditions += ["v.namespace = $2", "v.registered <= $1", _AT.format(row="v")]
    statement.conditions += [f"v.model = {model}" for model in statement.models]
    if text.strip():
        words = statement.bind(text, "text")
        statement.conditions.append(f"{WORDS} @@ plainto_tsquery('simple', {words})")


def _joined(asked: Expression, statement: Statement) -> bool:
    """Join the table of a comparison; return False where it is not of the kind that can be."""
    if _is_model(asked):
        statement.models.append(
            statement.bind(f"{statement.namespace}/models/{asked.value}", "text")
        )
        return True
    if len(statement.tables) >= MOST_JOINS:
        return False
    if _is_metric(asked):
        _join_metric_value(asked, statement)
        return True
    table, wanted = _wanted(asked, statement.namespace)
    if not wanted:
        return False
    statement.join(table, wanted, is_temporal=table != "version_param")
    # A version may hold several aliases, and be one thing or the other twice.
    is_several = len(wanted) > 1 and (table == "holding" or isinstance(asked, Or))
    statement.is_distinct |= is_several
    return True


def _is_model(asked: Expression) -> TypeGuard[Restriction]:
    return isinstance(asked, Restriction) and (
        (asked.field, asked.key, asked.comparator) == ("model", "", "=")
    )


def _is_elsewhere(asked: Expression) -> bool:
    return isinstance(asked, Restriction) and isinstance(versions.FIELDS.get(asked.field), Entries)


def _is_metric(asked: Expression) -> TypeGuard[Restriction]:
    return (
        isinstance(asked, Restriction)
        and asked.field == "metrics"
        and bool(asked.key)
        and asked.comparator in _ORDERED
    )


def _wanted(asked: Expression, namespace: str) -> tuple[str, list[UUID]]:
    """Return a table and the terms of which every result has one there; none if that can't be."""
    if isinstance(asked, Or):
        found = [_wanted(term, namespace) for term in asked.terms]
        tables = {table for table, _ in found}
        together = [term for _, wanted in found for term in wanted]
        return (tables.pop(), together) if len(tables) == 1 else ("", [])
    if not isinstance(asked, Restriction):
        return "", []
    is_equal = asked.comparator in {"=", "IN"}
    values = asked.values if asked.comparator == "IN" else (asked.value,)
    match asked.field:
        case "tags" if asked.key and is_equal:
            return "version_tag", [terms.tag(namespace, asked.key, value) for value in values]
        case "params" if asked.key and is_equal:
            return "version_param", [terms.param(namespace, asked.key, value) for value in values]
        case ("alias" | "stage") as kind if not asked.key and (is_equal or asked.comparator == ":"):
            return "holding", [terms.holding(namespace, kind, value) for value in values]
    return "", []


def _join_metric_value(asked: Restriction, statement: Statement) -> None:
    row = join_metric(asked.key, statement)
    fields: Fields = {"metrics": Column(f"{row}.value", Kind.NUMBER)}
    value = to_sql(replace(asked, key=""), fields, len(statement.arguments) + 1)
    statement.conditions.append(value.sql)
    statement.arguments += value.arguments
    statement.is_distinct = True  # a version may have several metrics with one key
