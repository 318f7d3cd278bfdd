"""The columns in which the fields of models and versions lie."""

import json
from collections.abc import Mapping

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import (
    ModelCreated,
    ModelFields,
    ModelUpdated,
    ModelVersionRegistered,
    ModelVersionUpdated,
)


def described(event: ModelCreated) -> dict[str, object]:
    """Return the columns of what a model says of itself when it is created."""
    return {
        "description": event.description,
        "tags": entries(event.tags),
        "owners": list(event.owners),
        "intended_use": event.intended_use,
        "tier": event.tier,
        "imported": parts(event.imported),
    }


def sealed(event: ModelVersionRegistered) -> dict[str, object]:
    """Return the columns of what a version says of itself when it is registered."""
    return {
        "card": parts(event.card),
        "signature": parts(event.signature),
        "format": parts(event.format),
        "parent_versions": list(event.parent_versions),
        "semantic_version": event.semantic_version,
        "external_uri": event.external_uri,
        "imported": parts(event.imported),
    }


def changed(event: ModelUpdated | ModelVersionUpdated) -> dict[str, object]:
    """Return the columns that an update changes."""
    return {path: _column(path, event.fields) for path in event.update_mask.paths}


def entries(given: Mapping[str, str]) -> str:
    """Return a map as JSON."""
    return json.dumps(dict(given), ensure_ascii=False, sort_keys=True)


def parts(message: Message) -> str:
    """Return a message as JSON, by the names of its fields; {} where nothing is filled."""
    filled = MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(filled, ensure_ascii=False, sort_keys=True)


def _column(path: str, fields: ModelFields) -> object:
    match path:
        case "tags":
            return entries(fields.tags)
        case "owners":
            return list(fields.owners)
        case "card":
            return parts(fields.card)
        case _:
            value: object = getattr(fields, path)
            return value
