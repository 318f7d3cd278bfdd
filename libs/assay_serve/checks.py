"""Single checks of a message: each raises Wrong, and costs next to nothing where all is right.

A path is built only once something is wrong, on the way up: each level puts its own part before it.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import TypeAlias

from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason

Check: TypeAlias = Callable[[Message], None]
Known: TypeAlias = Mapping[tuple[str, bool], Sequence[Check]]

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
# A character takes at most four bytes: shorter texts need not be encoded to know that they fit.
_BYTES_A_CHARACTER = 4


class Wrong(Exception):
    """A field is wrong; `advice` says what to do, with {} where the field's path belongs."""

    def __init__(self, reason: Reason.ValueType, advice: str, path: str) -> None:
        super().__init__(advice)
        self.reason = reason
        self.advice = advice
        self.path = path


def required(names: Sequence[str]) -> Check:
    """Demand that fields without presence are not empty."""
    read = _reader(names)

    def check(message: Message) -> None:
        values = read(message)
        if not all(values):
            name = next(name for name, value in zip(names, values, strict=True) if not value)
            raise Wrong(Reason.REASON_REQUIRED, "Fill in {}.", name)

    return check


def required_there(name: str, message: Message) -> None:
    """Demand that a field with presence is set."""
    if not message.HasField(name):
        raise Wrong(Reason.REASON_REQUIRED, "Fill in {}.", name)


def texts(limits: Mapping[str, int]) -> Check:
    """Demand that texts and bytes keep within their limits."""
    read = _reader(list(limits))
    rules = [(name, limit, limit // _BYTES_A_CHARACTER) for name, limit in limits.items()]

    def check(message: Message) -> None:
        for value, (name, limit, quick) in zip(read(message), rules, strict=True):
            if value and (len(value) > quick or _has_nul(value)):
                _text(value, limit, name)

    return check


def each_text(name: str, max_items: int, limit: int, message: Message) -> None:
    """Demand it of every text of a list."""
    values = getattr(message, name)
    _count(values, max_items, name)
    for index, value in enumerate(values):
        if len(value) > limit // _BYTES_A_CHARACTER or _has_nul(value):
            _text(value, limit, f"{name}[{index}]")


def count(name: str, max_items: int, message: Message) -> None:
    """Demand that a list or map has no more than so many entries."""
    _count(getattr(message, name), max_items, name)


def one_message(known: Known, key: tuple[str, bool], name: str, message: Message) -> None:
    """Check the message that a field holds, if it holds one."""
    if message.HasField(name):
        _below(known[key], getattr(message, name), name)


def each_message(
    known: Known, key: tuple[str, bool], name: str, max_items: int, message: Message
) -> None:
    """Check every message of a list."""
    values = getattr(message, name)
    _count(values, max_items, name)
    for index, value in enumerate(values):
        _below(known[key], value, name, f"[{index}]")


def map_messages(known: Known, key: tuple[str, bool], name: str, message: Message) -> None:
    """Check every message of a map."""
    for entry, value in getattr(message, name).items():
        _below(known[key], value, name, f"[{entry!r}]")


def map_keys(name: str, limit: int, message: Message) -> None:
    """Demand that the keys of a map, which are texts, are not empty and keep within a limit."""
    for key in getattr(message, name):
        if not key:
            raise Wrong(Reason.REASON_REQUIRED, "Give each entry of {} a key.", name)
        if len(key) > limit // _BYTES_A_CHARACTER or "\0" in key:
            _text(key, limit, name)


def map_texts(name: str, limit: int, message: Message) -> None:
    """Demand that the texts of a map keep within a limit."""
    for key, value in getattr(message, name).items():
        if len(value) > limit // _BYTES_A_CHARACTER or _has_nul(value):
            _text(value, limit, f"{name}[{key!r}]")


def map_floats(name: str, message: Message) -> None:
    """Demand that the numbers of a map are finite."""
    for key, value in getattr(message, name).items():
        if not math.isfinite(value):
            _infinite(f"{name}[{key!r}]")


def one_float(name: str, message: Message) -> None:
    """Demand that a number is finite."""
    if not math.isfinite(getattr(message, name)):
        _infinite(name)


def each_float(name: str, max_items: int, message: Message) -> None:
    """Demand that the numbers of a list are finite."""
    values = getattr(message, name)
    _count(values, max_items, name)
    for index, value in enumerate(values):
        if not math.isfinite(value):
            _infinite(f"{name}[{index}]")


def request_id(message: Message) -> None:
    """Demand that a request id, where there is one, is a UUID."""
    value: str = getattr(message, "request_id", "")
    if value and not _UUID.match(value):
        advice = "Send a UUID as {} or leave it empty."
        raise Wrong(Reason.REASON_MALFORMED, advice, "request_id")


def page_size(message: Message) -> None:
    """Demand that a page size is not negative."""
    if getattr(message, "page_size", 0) < 0:
        raise Wrong(Reason.REASON_MALFORMED, "Send {} as 0 or more.", "page_size")


def _reader(names: Sequence[str]) -> Callable[[Message], Sequence[str | bytes]]:
    """Return what reads several fields at once."""
    if len(names) == 1:
        return lambda message: (getattr(message, names[0]),)
    return attrgetter(*names)


def _below(checks: Sequence[Check], message: Message, name: str, entry: str = "") -> None:
    try:
        for check in checks:
            check(message)
    except Wrong as wrong:
        wrong.path = f"{name}{entry}.{wrong.path}"
        raise


def _has_nul(value: str | bytes) -> bool:
    return isinstance(value, str) and "\0" in value


def _text(value: str | bytes, limit: int, path: str) -> None:
    size = len(value.encode()) if isinstance(value, str) else len(value)
    if size > limit:
        advice = f"Keep {{}} within {limit} bytes; it has {size}."
        raise Wrong(Reason.REASON_TOO_LARGE, advice, path)
    if _has_nul(value):
        raise Wrong(Reason.REASON_MALFORMED, "Leave NUL characters out of {}.", path)


def _count(values: Sequence[object], max_items: int, name: str) -> None:
    if len(values) > max_items:
        advice = f"Keep {{}} within {max_items} entries; it has {len(values)}."
        raise Wrong(Reason.REASON_TOO_LARGE, advice, name)


def _infinite(path: str) -> None:
    raise Wrong(Reason.REASON_NOT_FINITE, "Give {} a finite number.", path)
