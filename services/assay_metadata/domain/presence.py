"""What must be there, and in use, before a rule looks further."""

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import NotFound, Rejection
from assay_metadata.domain.state import Model, Version, version_of


def existing(model: str, state: Model) -> None:
    """Refuse a model that does not exist."""
    if not state.name:
        raise NotFound(model)


def active(model: str, state: Model) -> None:
    """Refuse a model that does not exist or is archived."""
    existing(model, state)
    if state.is_archived:
        raise Rejection(
            Reason.REASON_MODEL_ARCHIVED, f"Restore {model} first: it is archived.", name=model
        )


def known_version(model: str, number: int, state: Model) -> Version:
    """Return a version; refuse one that does not exist."""
    if number not in state.versions:
        raise NotFound(version_of(model, number))
    return state.versions[number]


def active_version(model: str, number: int, state: Model) -> Version:
    """Return a version; refuse one that does not exist or is archived."""
    version = known_version(model, number, state)
    if version.is_archived:
        name = version.registered.name
        raise Rejection(
            Reason.REASON_VERSION_ARCHIVED,
            f"Choose another version: {name} is archived.",
            name=name,
        )
    return version
