"""Refusals of the edge itself: what is wrong with a request before any rule is asked."""

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid


def bad_filter(message: str) -> Invalid:
    """Return the refusal of a filter."""
    return Invalid(Reason.REASON_BAD_FILTER, message, field="filter")


def bad_order(message: str) -> Invalid:
    """Return the refusal of an `order_by`."""
    return Invalid(Reason.REASON_MALFORMED, message, field="order_by")


def bad_page_token() -> Invalid:
    """Return the refusal of a page token that is not one of this query."""
    return Invalid(
        Reason.REASON_BAD_PAGE_TOKEN,
        "Send the page token together with the request that it came from, otherwise unchanged.",
        field="page_token",
    )


def bad_moment(message: str) -> Invalid:
    """Return the refusal of an `as_of`."""
    return Invalid(Reason.REASON_BAD_MOMENT, message, field="as_of")
