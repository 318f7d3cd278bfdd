"""The one validation step: checks made once from the descriptors, run on each request.

A check takes a message and the path to it, and raises Invalid at the first field that is wrong.
The checks of the many plain strings of a message are one loop over one `attrgetter`, because this
runs on every call.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import NoReturn, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid
from assay_serve.annotations import Demands, demands, entry_of, is_map

Check: TypeAlias = Callable[[Message, str], None]

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_FLOATS = frozenset({FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT})
_TEXTS = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES})


class Validator:
    """Holds the checks of every message that the methods of one server take."""

    def __init__(self) -> None:
        self._checks: dict[tuple[str, bool], tuple[Check, ...]] = {}

    def compile(self, request: Descriptor) -> Callable[[Message], None]:
        """Return the check of a request; raise UnknownAnnotation where it can't be kept."""
        key = self._learn(request, is_update="update_mask" in request.fields_by_name)
        return partial(_run, self._checks[key])

    def _learn(self, message: Descriptor, *, is_update: bool, depth: int = 0) -> tuple[str, bool]:
        """Compile `message`; inside an update's resource only the identifier is required."""
        key = (message.full_name, is_update and depth > 0)
        if key not in self._checks:
            self._checks[key] = ()  # a message may hold itself
            self._checks[key] = tuple(self._make(message, is_update=is_update, depth=depth))
        return key

    def _make(self, message: Descriptor, *, is_update: bool, depth: int) -> Iterable[Check]:
        asked = {field: demands(field) for field in message.fields}
        plain = [field for field in asked if field.type in _TEXTS and not field.is_repeated]
        if plain:
            yield _texts([(field.name, asked[field].max_bytes) for field in plain])
        for field, demand in asked.items():
            if _is_required(demand, is_update=is_update, depth=depth):
                yield partial(_required, field.name, _is_absent(field))
            yield from _by_name(field)
            if field.is_repeated:
                yield partial(_count, field.name, demand.max_items)
            yield from self._content(field, demand, is_update=is_update, depth=depth)

    def _content(
        self, field: FieldDescriptor, demand: Demands, *, is_update: bool, depth: int
    ) -> Iterable[Check]:
        if is_map(field):
            yield from self._map(field, demand)
        elif field.message_type is not None:
            key = self._learn(field.message_type, is_update=is_update, depth=depth + 1)
            each = _each_message if field.is_repeated else _one_message
            yield partial(each, self._checks, key, field.name)
        elif field.type in _FLOATS:
            yield partial(_each_float if field.is_repeated else _one_float, field.name)
        elif field.type in _TEXTS and field.is_repeated:
            yield partial(_each_text, field.name, demand.max_bytes)

    def _map(self, field: FieldDescriptor, demand: Demands) -> Iterable[Check]:
        key, value = entry_of(field).fields_by_name["key"], entry_of(field).fields_by_name["value"]
        if value.message_type is not None:
            known = self._learn(value.message_type, is_update=False, depth=1)
            yield partial(_map_messages, self._checks, known, field.name)
        yield partial(
            _map_texts,
            field.name,
            demand.max_bytes,
            key.type in _TEXTS,
            value.type in _TEXTS,
            value.type in _FLOATS,
        )


def _run(checks: Sequence[Check], request: Message) -> None:
    for check in checks:
        check(request, "")


def _is_required(demand: Demands, *, is_update: bool, depth: int) -> bool:
    if is_update and depth:
        return demand.is_identifier and depth == 1
    return demand.is_required


def _is_absent(field: FieldDescriptor) -> Callable[[Message], bool]:
    if field.has_presence:
        return lambda message: not message.HasField(field.name)
    return lambda message: not getattr(message, field.name)


def _required(name: str, is_absent: Callable[[Message], bool], message: Message, path: str) -> None:
    if is_absent(message):
        raise Invalid(Reason.REASON_REQUIRED, f"Fill in {path}{name}.", field=f"{path}{name}")


def _texts(limits: Sequence[tuple[str, int]]) -> Check:
    names = [name for name, _ in limits]
    # A character takes at most four bytes: shorter texts need not be encoded to know that they fit.
    rules = [(name, limit, limit // 4) for name, limit in limits]
    read = attrgetter(*names) if len(names) > 1 else _in_tuple(attrgetter(names[0]))

    def check(message: Message, path: str) -> None:
        for value, (name, limit, quick) in zip(read(message), rules, strict=True):
            if value and (len(value) > quick or _has_nul(value)):
                _check_text(value, limit, f"{path}{name}")

    return check


def _in_tuple(read: Callable[[Message], str]) -> Callable[[Message], tuple[str]]:
    return lambda message: (read(message),)


def _has_nul(value: str | bytes) -> bool:
    return isinstance(value, str) and "\0" in value


def _check_text(value: str | bytes, limit: int, path: str) -> None:
    size = len(value.encode()) if isinstance(value, str) else len(value)
    if size > limit:
        message = f"Keep {path} within {limit} bytes; it has {size}."
        raise Invalid(Reason.REASON_TOO_LARGE, message, field=path)
    if _has_nul(value):
        raise Invalid(Reason.REASON_MALFORMED, f"Leave NUL characters out of {path}.", field=path)


def _each_text(name: str, limit: int, message: Message, path: str) -> None:
    for index, value in enumerate(getattr(message, name)):
        _check_text(value, limit, f"{path}{name}[{index}]")


def _count(name: str, limit: int, message: Message, path: str) -> None:
    count = len(getattr(message, name))
    if count > limit:
        advice = f"Keep {path}{name} within {limit} entries; it has {count}."
        raise Invalid(Reason.REASON_TOO_LARGE, advice, field=f"{path}{name}")


_Checks: TypeAlias = dict[tuple[str, bool], tuple[Check, ...]]


def _one_message(
    checks: _Checks, key: tuple[str, bool], name: str, message: Message, path: str
) -> None:
    if message.HasField(name):
        inner = getattr(message, name)
        for check in checks[key]:
            check(inner, f"{path}{name}.")


def _each_message(
    checks: _Checks, key: tuple[str, bool], name: str, message: Message, path: str
) -> None:
    for index, inner in enumerate(getattr(message, name)):
        for check in checks[key]:
            check(inner, f"{path}{name}[{index}].")


def _map_messages(
    checks: _Checks, key: tuple[str, bool], name: str, message: Message, path: str
) -> None:
    for entry, inner in getattr(message, name).items():
        for check in checks[key]:
            check(inner, f"{path}{name}[{entry!r}].")


def _map_texts(
    name: str,
    limit: int,
    has_text_keys: bool,  # noqa: FBT001 - as above
    has_text_values: bool,  # noqa: FBT001 - as above
    has_float_values: bool,  # noqa: FBT001 - as above
    message: Message,
    path: str,
) -> None:
    entries = getattr(message, name)
    for key in entries:
        value = entries[key]
        where = f"{path}{name}[{key!r}]"
        if has_text_keys:
            if not key:
                raise Invalid(
                    Reason.REASON_REQUIRED,
                    f"Give each entry of {path}{name} a key.",
                    field=f"{path}{name}",
                )
            _check_text(key, limit, f"{path}{name}")
        if has_text_values:
            _check_text(value, limit, where)
        if has_float_values:
            _check_float(value, where)


def _one_float(name: str, message: Message, path: str) -> None:
    _check_float(getattr(message, name), f"{path}{name}")


def _each_float(name: str, message: Message, path: str) -> None:
    for index, value in enumerate(getattr(message, name)):
        _check_float(value, f"{path}{name}[{index}]")


def _check_float(value: float, path: str) -> None:
    if not math.isfinite(value):
        raise Invalid(Reason.REASON_NOT_FINITE, f"Give {path} a finite number.", field=path)


def _by_name(field: FieldDescriptor) -> Iterable[Check]:
    """Yield the checks that go with a name wherever it is used."""
    if field.name == "request_id" and field.type == FieldDescriptor.TYPE_STRING:
        yield _request_id
    elif field.name == "page_size":
        yield _page_size


def _request_id(message: Message, path: str) -> None:
    value: str = getattr(message, "request_id", "")
    if value and not _UUID.match(value):
        _malformed(f"{path}request_id", "Send a UUID as {} or leave it empty.")


def _page_size(message: Message, path: str) -> None:
    if getattr(message, "page_size", 0) < 0:
        _malformed(f"{path}page_size", "Send {} as 0 or more.")


def _malformed(path: str, advice: str) -> NoReturn:
    raise Invalid(Reason.REASON_MALFORMED, advice.format(path), field=path)
