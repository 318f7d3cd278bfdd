"""What must be there, and in use, before a rule looks further."""

from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import NotFound, Rejection
from assay_metadata.domain.state import Model, Version, version_of


class LedElsewhere(NotFound):
    """The name is no model's any more; it leads to the model that was created as `original`."""

    def __init__(self, name: str, original: str) -> None:
        """Keep where the name leads."""
        super().__init__(name, f"Name {original} instead.")
        self.original = original


def existing(model: str, state: Model) -> None:
    """Refuse a model that does not exist."""
    if state.leads_to:
        raise LedElsewhere(model, state.leads_to)
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
    """Return a version; refuse one that does not exist, is archived or has no files yet."""
    version = known_version(model, number, state)
    name = version.registered.name
    if version.is_archived:
        raise Rejection(
            Reason.REASON_VERSION_ARCHIVED,
            f"Choose another version: {name} is archived.",
            name=name,
        )
    if version.is_draft:
        raise Rejection(
            Reason.REASON_VERSION_DRAFT, f"Seal {name} first: it is a draft.", name=name
        )
    return version
