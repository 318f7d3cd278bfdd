"""Ids that follow from other ids, so that a retry meets itself."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1c5f0e-8b1d-5e0c-9d8e-0a5a1a7b3c55")


def derived_id(parent: str, request_id: str) -> str:
    """Return the id of the resource that a request creates below `parent`."""
    return str(uuid5(_NAMESPACE, f"resource\n{parent}\n{request_id}"))


def event_id(nats_subject: str, request_id: str, index: int) -> str:
    """Return the id of the event that a request writes at `index` on a subject."""
    return str(uuid5(_NAMESPACE, f"event\n{nats_subject}\n{request_id}\n{index}"))


def reaction_id(cause_id: str, reaction: str) -> str:
    """Return the request id of a reaction to the event `cause_id`."""
    return str(uuid5(_NAMESPACE, f"reaction\n{cause_id}\n{reaction}"))
