"""What an event changed, as lines for people."""

from collections.abc import Iterator, Mapping, Sequence

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import ModelUpdated, ModelVersionRegistered, ModelVersionUpdated
from assay.metadata.v1.resources_pb2 import ModelCard


def lines(event: Message) -> list[str]:
    """Return the values that `event` set, one line a field."""
    if isinstance(event, ModelUpdated | ModelVersionUpdated):
        return list(_updated(event))
    return list(_set(event))


def _set(event: Message) -> Iterator[str]:
    for field, value in event.ListFields():
        if field.name == "name" or field.name.startswith("previous_"):
            continue
        if field.name == "metrics" and isinstance(event, ModelVersionRegistered):
            yield from (f"metrics.{metric.key}: {metric.value!r}" for metric in event.metrics)
        elif isinstance(value, Mapping):
            yield from _entries(field.name, value)
        elif isinstance(value, ModelCard):
            yield from _card(value)
        elif isinstance(value, Message):
            yield f"{field.name}: {MessageToJson(value, indent=None, sort_keys=True)}"
        else:
            yield from _value(field.name, value)


def _updated(event: ModelUpdated | ModelVersionUpdated) -> Iterator[str]:
    for path in event.update_mask.paths:
        if path == "tags":
            before, after = event.previous_fields.tags, event.fields.tags
            changed = {key: after[key] for key in after if before.get(key) != after[key]}
            yield from _entries("tags", changed)
            yield from (f"tags.{key} removed" for key in sorted(before.keys() - after.keys()))
        elif path == "card":
            yield from _card(event.fields.card)
        else:
            yield from _value(path, getattr(event.fields, path))


def _card(card: ModelCard) -> Iterator[str]:
    return (f"card.{part.name}: {text}" for part, text in card.ListFields())


def _value(field: str, value: object) -> Iterator[str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        yield f"{field}: {', '.join(map(str, value))}"
    else:
        yield f"{field}: {value}"


def _entries(field: str, entries: Mapping[str, str]) -> Iterator[str]:
    return (f"{field}.{key}: {entries[key]}" for key in sorted(entries))
