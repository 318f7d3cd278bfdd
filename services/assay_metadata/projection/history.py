"""What an event changed, as lines for people."""

from collections.abc import Iterator, Mapping

from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import ModelUpdated, ModelVersionRegistered, ModelVersionUpdated


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
        else:
            yield f"{field.name}: {value}"


def _updated(event: ModelUpdated | ModelVersionUpdated) -> Iterator[str]:
    paths = event.update_mask.paths
    if "description" in paths:
        yield f"description: {event.fields.description}"
    if "tags" in paths:
        before, after = event.previous_fields.tags, event.fields.tags
        changed = {key: after[key] for key in after if before.get(key) != after[key]}
        yield from _entries("tags", changed)
        yield from (f"tags.{key} removed" for key in sorted(before.keys() - after.keys()))


def _entries(field: str, entries: Mapping[str, str]) -> Iterator[str]:
    return (f"{field}.{key}: {entries[key]}" for key in sorted(entries))
