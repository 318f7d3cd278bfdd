"""Searches find what a few lines of Python find, in the same order, at every revision."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assay.metadata.v1.metadata_service_pb2 import SearchModelsRequest, SearchModelVersionsRequest
from assay_events.decider import Invalid
from assay_metadata.queries import search
from assay_serve.embedded import postgres
from assay_serve.filter_parser import And, Expression, Or, Restriction
from tests.integration.metadata import search_events as drawn
from tests.integration.metadata.search_events import SPACE
from tests.integration.metadata.search_questions import (
    at_times,
    expressions,
    of_models,
    of_versions,
)
from tests.integration.metadata.search_registry import EVENTS, Registry
from tests.support import search_reference as reference
from tests.support.filters import written
from tests.support.search_reference import Entry

LAW = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = Registry(seed=1)
    with postgres.running(tmp_path_factory.mktemp("postgres")) as database:
        registry.open(database.url("metadata"))
        yield registry
        registry.close()


metric_orders = [f"metrics.{key}" for key in ("k", "x.y", "'a b'")]
orders = st.sampled_from(["", "create_time", "create_time desc", "number", "number desc"]) | (
    st.sampled_from(metric_orders + [f"{order} desc" for order in metric_orders])
)


def in_order(entries: list[Entry], order_by: str) -> list[str]:
    """Return the names of what has that to order by, in order."""
    name, _, direction = (order_by or "create_time desc").rpartition(" ")
    name, direction = (name, direction) if direction == "desc" else (order_by, "")
    keyed = list[tuple[object, int, str]]()
    for entry in entries:
        key: object = entry.values["number"] if name == "number" else 0
        if name.startswith("metrics."):
            wanted = name.removeprefix("metrics.").strip("'")
            of_key = [value for key, value in entry.maps["metrics"] if key == wanted]
            if not of_key:
                continue
            key = of_key[0]
        keyed.append((key, entry.registered, entry.name))
    return [name for _, _, name in sorted(keyed, reverse=direction == "desc")]


def in_space(entry: Entry) -> bool:
    return entry.name.startswith(f"{SPACE}/")


def asked(field: str, key: str, comparator: str, *values: str) -> Restriction:
    if comparator == "IN":
        return Restriction(field, key, "IN", "", is_quoted=True, values=values)
    return Restriction(field, key, comparator, values[0], is_quoted=True)


SEVERAL_METRICS = And((asked("metrics", "k", ">=", "-1.5"), asked("metrics", "k", "<", "1e301")))
SEVERAL_ALIASES = asked("alias", "", "IN", "champion", "best", "b%t")
ONE_OR_BOTH = Or((asked("tags", "k", "IN", *drawn.TEXTS), asked("tags", "x.y", "IN", *drawn.TEXTS)))
OF_ONE_MODEL = And((asked("model", "", "=", "a"), asked("metrics", "k", "<=", "0.75")))


@LAW
@example(SEVERAL_METRICS, "", "", EVENTS, 7, True)  # noqa: FBT003
@example(SEVERAL_ALIASES, "number", "", EVENTS, 1, False)  # noqa: FBT003
@example(ONE_OR_BOTH, "metrics.k desc", "", EVENTS, 5, True)  # noqa: FBT003
@example(OF_ONE_MODEL, "create_time", "", EVENTS, 3, True)  # noqa: FBT003
@example(And(()), "", "alpha", EVENTS, 2, True)  # noqa: FBT003
@given(
    expressions(of_versions),
    orders,
    st.sampled_from(["", "", "alpha", "BETA gamma"]),
    st.integers(len(drawn.MODELS) + 3, EVENTS),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_search_finds_and_orders_versions_as_the_reference_does_while_others_write(
    registry: Registry,
    expression: Expression,
    order_by: str,
    text: str,
    revision: int,
    page_size: int,
    writing: bool,
) -> None:
    meant = at_times(expression, registry.times)
    known = [entry for entry in registry.states[revision].found_versions() if in_space(entry)]
    wanted = [e for e in known if reference.matches(meant, e) and reference.has_words(text, e)]
    request = SearchModelVersionsRequest(
        parent=SPACE,
        filter=written(meant),
        order_by=order_by,
        text=text,
        page_size=page_size,
        count=True,
    )
    found, counted = registry.versions(request, revision, writing=writing)
    assert found == in_order(wanted, order_by)
    assert set(counted) == {len(found)}


@LAW
@given(
    expressions(of_models),
    st.sampled_from(["model_id", "model_id desc", "create_time", "update_time desc"]),
    st.integers(len(drawn.MODELS) + 3, EVENTS),
    st.integers(1, 5),
)
def test_a_search_finds_and_orders_models_as_the_reference_does(
    registry: Registry, expression: Expression, order_by: str, revision: int, page_size: int
) -> None:
    meant = at_times(expression, registry.times)
    known = [entry for entry in registry.states[revision].models.values() if in_space(entry)]
    wanted = [entry for entry in known if reference.matches(meant, entry)]
    name, _, direction = order_by.partition(" ")
    ordered_ = sorted(wanted, key=lambda e: (e.values[name], e.values["model_id"]))
    request = SearchModelsRequest(
        parent=SPACE, filter=written(meant), order_by=order_by, page_size=page_size
    )
    found = registry.models(request, revision)
    assert found == [entry.name for entry in (ordered_[::-1] if direction else ordered_)]


PIECES = [
    *search.FIELDS, "AND", "OR", "NOT", "IN", "LIKE", "(", ")", ",", ".", "=", "!=", "<", ":",
    "-", '"', "'", "\\", "%", "*", " ", "1", "-1", "1e400", "9223372036854775807",
    "ACTIVE", "k", "é", "$1",
    "2026-03-01", "0001-01-01", "9999-12-31T23:59:59Z", "champion", ";", "\n", "tags.k = a",
    "metrics.k > 0", "alias:best", "card.purpose", "imported.source", "x" * 300, "\ufffe",
]  # fmt: skip
anything = st.one_of(
    st.text(max_size=40).filter(lambda text: text.isprintable()),
    st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)


@settings(LAW, max_examples=60)
@given(anything, anything, st.sampled_from(["", "metrics.k", "number desc"]))
@example(" OR ".join(["tags.k = a"] * 100), "", "")
@example(" AND ".join(["tags.k = a"] * 100), "", "metrics.k")
@example(" AND ".join(["metrics.k > 0"] * 100), "a", "")
@example(f"params.k IN ({', '.join(map(str, range(1000)))})", "", "number")
@example(f'tags."{"k" * 8000}" = "{"v" * 8000}"', "", "")
def test_whatever_is_asked_is_refused_in_a_sentence_or_answered(
    registry: Registry, filter_: str, text: str, order_by: str
) -> None:
    request = SearchModelVersionsRequest(
        parent=SPACE, filter=filter_, text=text, order_by=order_by, page_size=1000
    )
    try:
        found, _ = registry.versions(request, EVENTS, writing=False)
    except Invalid as caught:
        refusal = caught
    else:
        assert len(found) == len(set(found))
        return
    assert refusal.field == "filter"
    assert refusal.message.endswith(".")


def test_a_time_means_the_last_event_that_had_happened_by_then(registry: Registry) -> None:
    times = [registry.stream_time(revision) for revision in range(1, EVENTS + 1)]
    for revision in range(1, EVENTS + 1, 7):
        at = times[revision - 1]
        assert registry.revision_at(at) == bisect_right(times, at)
        if revision > 1:
            just_before = at - timedelta(microseconds=1)
            assert registry.revision_at(just_before) == bisect_right(times, just_before)
    with pytest.raises(Invalid, match="has passed"):
        registry.revision_at(datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(Invalid, match="after the log was founded"):
        registry.revision_at(times[0] - timedelta(microseconds=1))
