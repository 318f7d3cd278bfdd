"""Strategies: anything that may be asked of a search."""

from dataclasses import replace
from datetime import datetime

from hypothesis import strategies as st

from assay_serve.filter_parser import And, Expression, Not, Or, Restriction
from tests.integration.metadata import search_events as drawn
from tests.integration.metadata.search_events import SPACE
from tests.integration.metadata.search_registry import EVENTS

texts = st.sampled_from([*drawn.TEXTS, *drawn.MODELS])
patterns = st.sampled_from(["%", "a%", "_", "%a_c%", r"a\%", "%ß%", r"%\\", "", "%A%b%"])
keys = st.sampled_from([*drawn.KEYS, "zz"])
ordered = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
no_key, yes, no = st.just(""), st.just(value=True), st.just(value=False)


def compared(
    field: str,
    comparators: st.SearchStrategy[str],
    values: st.SearchStrategy[str],
    key: object = "",
) -> st.SearchStrategy[Restriction]:
    at = key if isinstance(key, st.SearchStrategy) else st.just(str(key))
    return st.builds(Restriction, st.just(field), at, comparators, values, yes)


def listed(
    field: str, values: st.SearchStrategy[str], key: object = ""
) -> st.SearchStrategy[Restriction]:
    at = key if isinstance(key, st.SearchStrategy) else st.just(str(key))
    several = st.lists(values, min_size=1, max_size=3).map(tuple)
    return st.builds(Restriction, st.just(field), at, st.just("IN"), no_key, yes, several)


def textual(
    field: str, values: st.SearchStrategy[str], key: object = ""
) -> st.SearchStrategy[Restriction]:
    return st.one_of(
        compared(field, ordered | st.just(":"), values, key),
        compared(field, st.just("LIKE"), patterns, key),
        listed(field, values, key),
    )


def named(field: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[Restriction]:
    """Return questions about a list of names."""
    return st.one_of(
        compared(field, st.sampled_from(["=", ":"]), values),
        compared(field, st.just("LIKE"), patterns),
        listed(field, values),
    )


def present(field: str) -> st.SearchStrategy[Restriction]:
    return st.one_of(
        st.builds(
            Restriction, st.just(field), keys, st.just(":"), st.just("*"), st.just(value=False)
        ),
        compared(field, st.just(":"), keys),
    )


moments = st.integers(0, EVENTS - 1).map(lambda place: f"#{place}")  # the time of an event
numbers = st.sampled_from(drawn.NUMBERS).map(repr)
states = st.sampled_from(["ACTIVE", "ARCHIVED", "DRAFT"])
equal = st.sampled_from(["=", "!="])
of_both = [
    textual("tags", texts, keys),
    present("tags"),
    textual("description", texts),
    textual("display_name", texts),
    textual("tier", st.sampled_from(drawn.TIERS)),
    named("owner", st.sampled_from(drawn.OWNERS)),
    compared("state", equal, states),
    listed("state", states),
    compared("create_time", ordered, moments),
    compared("update_time", ordered, moments),
]
joined = [  # what the service looks up first
    compared("metrics", ordered, numbers, st.sampled_from(drawn.KEYS)),
    compared("tags", st.just("="), texts, st.sampled_from(drawn.KEYS)),
    listed("params", texts, st.sampled_from(drawn.KEYS)),
    listed("alias", st.sampled_from(drawn.LABELS)),
]
of_versions = st.one_of(
    *of_both,
    *joined,
    *joined,
    textual("model", st.sampled_from(drawn.MODELS)),
    compared("model", st.just("="), st.sampled_from(drawn.MODELS)),
    compared("number", ordered, st.integers(0, 30).map(str)),
    listed("number", st.integers(0, 30).map(str)),
    textual("params", texts, keys),
    present("params"),
    compared("metrics", ordered, numbers, keys),
    listed("metrics", numbers, keys),
    present("metrics"),
    named("alias", st.sampled_from(drawn.LABELS)),
    named("stage", st.sampled_from(drawn.LABELS)),
    named("parent", st.sampled_from([f"{SPACE}/models/a/versions/{n}" for n in (1, 2, 3)])),
    textual("format", st.sampled_from(drawn.FORMATS)),
    textual("semantic_version", st.sampled_from(drawn.SEMANTIC)),
    textual("manifest_digest", st.sampled_from(drawn.DIGESTS)),
    textual("run", st.sampled_from([*drawn.RUNS, SPACE])),
    textual("imported", st.sampled_from(drawn.SOURCES), "source"),
    textual("card", texts, st.sampled_from(["purpose", "limits", "data", "licence", "schema"])),
    compared("card_completeness", ordered, st.integers(0, 6).map(lambda n: repr(n / 6))),
)
of_models = st.one_of(
    *of_both,
    textual("model_id", st.sampled_from(drawn.MODELS)),
    textual("intended_use", texts),
)


def expressions(of: st.SearchStrategy[Restriction]) -> st.SearchStrategy[Expression]:
    """Return what is put together; often a plain AND, which the service turns into joins."""
    several = st.lists(of, min_size=2, max_size=4).map(lambda terms: And(tuple(terms)))
    nested: st.SearchStrategy[Expression] = st.recursive(
        of,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
            st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
        ),
        max_leaves=6,
    )
    return st.just(And(())) | of | several | nested


def at_times(expression: Expression, times: list[datetime]) -> Expression:
    """Return the expression with the time of an event for each mark."""
    match expression:
        case And(terms=terms):
            return And(tuple(at_times(term, times) for term in terms))
        case Or(terms=terms):
            return Or(tuple(at_times(term, times) for term in terms))
        case Not(term=term):
            return Not(at_times(term, times))
        case Restriction(field="create_time" | "update_time", value=mark):
            return replace(expression, value=times[int(mark.removeprefix("#"))].isoformat())
    return expression
