"""The one validation step: checks chosen once from the descriptors, run on each request."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from assay_events.decider import Invalid
from assay_serve import checks
from assay_serve.annotations import Demands, demands, entry_of, is_map
from assay_serve.checks import Check, Wrong

_FLOATS = frozenset({FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT})
_TEXTS = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES})


class Validator:
    """Holds the checks of every message that the methods of one server take."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], tuple[Check, ...]] = {}
        self._unfinished: set[tuple[str, bool]] = set()

    def compile(self, request: Descriptor) -> Callable[[Message], None]:
        """Return the check of a request; raise UnknownAnnotation where it can't be kept."""
        key = self._learn(request, is_update="update_mask" in request.fields_by_name)
        return partial(_run, self._known[key])

    def _learn(self, message: Descriptor, *, is_update: bool, depth: int = 0) -> tuple[str, bool]:
        """Learn to check `message`; of an update's resource only the identifier is required."""
        key = (message.full_name, is_update and depth > 0)
        if key not in self._known:
            self._known[key] = ()  # a message may hold itself
            self._unfinished.add(key)
            self._known[key] = tuple(self._make(message, is_update=is_update, depth=depth))
            self._unfinished.remove(key)
        return key

    def _make(self, message: Descriptor, *, is_update: bool, depth: int) -> Iterable[Check]:
        asked = {field: demands(field) for field in message.fields}
        yield from _required(
            field
            for field, demand in asked.items()
            if _is_required(demand, is_update=is_update, depth=depth)
        )
        plain = [field for field in asked if field.type in _TEXTS and not field.is_repeated]
        if plain:
            yield checks.texts({field.name: asked[field].max_bytes for field in plain})
        for field, demand in asked.items():
            yield from _by_name(field)
            yield from self._content(field, demand, is_update=is_update, depth=depth)

    def _content(
        self, field: FieldDescriptor, demand: Demands, *, is_update: bool, depth: int
    ) -> Iterable[Check]:
        if is_map(field):
            yield from self._map(field, demand)
        elif field.message_type is not None:
            key = self._learn(field.message_type, is_update=is_update, depth=depth + 1)
            if field.is_repeated:
                name, most = field.name, demand.max_items
                yield partial(checks.each_message, self._known, key, name, most)
            elif self._known[key] or key in self._unfinished:
                yield partial(checks.one_message, self._known, key, field.name)
        elif field.is_repeated:
            yield _list(field, demand)
        elif field.type in _FLOATS:
            yield partial(checks.one_float, field.name)

    def _map(self, field: FieldDescriptor, demand: Demands) -> Iterable[Check]:
        key, value = entry_of(field).fields_by_name["key"], entry_of(field).fields_by_name["value"]
        yield partial(checks.count, field.name, demand.max_items)
        if key.type in _TEXTS:
            yield partial(checks.map_keys, field.name, demand.max_bytes)
        if value.message_type is not None:
            known = self._learn(value.message_type, is_update=False, depth=1)
            yield partial(checks.map_messages, self._known, known, field.name)
        elif value.type in _TEXTS:
            yield partial(checks.map_texts, field.name, demand.max_bytes)
        elif value.type in _FLOATS:
            yield partial(checks.map_floats, field.name)


def _run(request_checks: Sequence[Check], request: Message) -> None:
    try:
        for check in request_checks:
            check(request)
    except Wrong as wrong:
        message = wrong.advice.format(wrong.path)
        raise Invalid(wrong.reason, message, field=wrong.path) from None


def _is_required(demand: Demands, *, is_update: bool, depth: int) -> bool:
    if is_update and depth:
        return demand.is_identifier and depth == 1
    return demand.is_required


def _required(fields: Iterable[FieldDescriptor]) -> Iterable[Check]:
    without_presence = list[str]()
    for field in fields:
        if field.has_presence:
            yield partial(checks.required_there, field.name)
        else:
            without_presence.append(field.name)
    if without_presence:
        yield checks.required(without_presence)


def _list(field: FieldDescriptor, demand: Demands) -> Check:
    if field.type in _FLOATS:
        return partial(checks.each_float, field.name, demand.max_items)
    if field.type in _TEXTS:
        return partial(checks.each_text, field.name, demand.max_items, demand.max_bytes)
    return partial(checks.count, field.name, demand.max_items)


def _by_name(field: FieldDescriptor) -> Iterable[Check]:
    """Yield the checks that go with a name wherever it is used."""
    if field.name == "request_id" and field.type == FieldDescriptor.TYPE_STRING:
        yield checks.request_id
    elif field.name == "page_size":
        yield checks.page_size
