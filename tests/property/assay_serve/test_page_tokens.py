"""Laws of page tokens: only the query that a token came from takes it; nonsense is refused."""

import base64
import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1 import metadata_service_pb2 as api
from assay_events.decider import Invalid
from assay_serve import paging
from assay_serve.filtering import Column, Kind
from assay_serve.paging import Key, Orders

NAME, TIME = Key("m.name"), Key("m.time", Kind.TIME)
ORDERS = Orders({"name": NAME, "time": TIME}, default="name", tie=NAME)
FIELDS = {"name": Column("m.name")}


class Unasked:
    """A database that a refused request must not reach."""

    async def fetch(self, query: str, *args: object) -> list[object]:
        raise AssertionError(query, args)


async def refused(request: api.ListModelsRequest) -> Reason.ValueType:
    with pytest.raises(Invalid) as caught:
        await paging.fetch(Unasked(), "SELECT", (), request, ORDERS, FIELDS)  # type: ignore[arg-type]
    return caught.value.reason


def token(*body: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
async def test_nonsense_is_refused(text: str) -> None:
    if text and not any("\ud800" <= character <= "\udfff" for character in text):
        request = api.ListModelsRequest(parent="a", page_token=text)
        assert await refused(request) == Reason.REASON_BAD_PAGE_TOKEN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


@given(st.lists(JSON, max_size=3))
async def test_values_of_another_kind_are_refused(values: list[object]) -> None:
    request = api.ListModelsRequest(parent="a", order_by="time")
    is_right = len(values) == 2 and isinstance(values[1], str) and _is_time(values[0])
    if not is_right:
        request.page_token = token(paging.query_digest(request), *values)
        assert await refused(request) == Reason.REASON_BAD_PAGE_TOKEN


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return isinstance(value, str)


CHANGES = [
    {"parent": "b"},
    {"filter": "name = a"},
    {"order_by": "name desc"},
    {"as_of": {"revision": 7}},
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_token_of_another_query_is_refused(change: dict[str, object]) -> None:
    first = api.ListModelsRequest(parent="a")
    other = api.ListModelsRequest(**{"parent": "a", **change})  # type: ignore[arg-type]
    other.page_token = token(paging.query_digest(first), "churn")
    assert await refused(other) == Reason.REASON_BAD_PAGE_TOKEN


async def test_a_token_of_another_method_is_refused() -> None:
    first = api.ListNamespacesRequest()
    other = api.ListModelsRequest(page_token=token(paging.query_digest(first), "churn"))
    assert await refused(other) == Reason.REASON_BAD_PAGE_TOKEN


def test_size_and_freshness_may_change_between_pages() -> None:
    first = api.ListModelsRequest(parent="a", page_size=5)
    later = api.ListModelsRequest(parent="a", page_size=7, page_token="x", at_least_as_fresh="y")
    assert paging.query_digest(first) == paging.query_digest(later)


@pytest.mark.parametrize("order_by", ["colour", "name descending", "name, time", "name;", "NAME"])
async def test_an_unknown_order_is_answered_with_the_known_ones(order_by: str) -> None:
    request = api.ListModelsRequest(parent="a", order_by=order_by)
    with pytest.raises(Invalid) as caught:
        await paging.fetch(Unasked(), "SELECT", (), request, ORDERS, FIELDS)  # type: ignore[arg-type]
    assert caught.value.field == "order_by"
    assert "name, time" in caught.value.message
