"""Lists: all pages of an answer as one."""

import copy
from collections.abc import Callable, MutableSequence
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from assay.errors import Invalid

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)
_MAX_PAGE = 1000
_SIZE, _TOKEN, _NEXT = "page_size", "page_token", "next_page_token"


def collect(call: Callable[[_Request], _Response], request: _Request, limit: int = 0) -> _Response:
    """Return the answer of a list call with the items of all its pages, or the first `limit`.

    Args:
        call: A list method of a stub, such as `client.metadata.ListModels`.
        request: The request of its first page.
        limit: Most items; 0 for all. `next_page_token` tells whether there are more.
    """
    asking = copy.deepcopy(request)
    whole = _page(call, asking, limit)
    while _next(whole) and (not limit or len(_items(whole)) < limit):
        setattr(asking, _TOKEN, _next(whole))
        page = _page(call, asking, limit - len(_items(whole)) if limit else 0)
        _items(whole).extend(_items(page))
        setattr(whole, _NEXT, _next(page))
    return whole


def _page(call: Callable[[_Request], _Response], asking: _Request, wanted: int) -> _Response:
    setattr(asking, _SIZE, min(wanted or _MAX_PAGE, _MAX_PAGE))
    return call(asking)


def _next(response: Message) -> str:
    token: str = getattr(response, _NEXT)
    return token


def _items(response: Message) -> MutableSequence[Message]:
    """Return the one list of a list answer."""
    for field in response.DESCRIPTOR.fields:
        if field.is_repeated and field.type == FieldDescriptor.TYPE_MESSAGE:
            items: MutableSequence[Message] = getattr(response, field.name)
            return items
    raise Invalid(f"{response.DESCRIPTOR.name} is not the answer of a list call.")
