"""What the handlers of all resources share, and how a request is read."""

from collections.abc import Mapping, Sequence

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelFields
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceServicer
from assay.names import ModelName, VersionName
from assay_events.commands import Commands
from assay_events.decider import Invalid
from assay_serve.peers import PeerChannels
from assay_serve.postgres import Reads

FREE_FIELDS = ("description", "tags")


class Parts(MetadataServiceServicer):
    """The parts that handlers work with."""

    def __init__(self, commands: Commands, reads: Reads, peers: PeerChannels) -> None:
        self._commands = commands
        self._reads = reads
        self._peers = peers


def changes(
    mask: Sequence[str], description: str, tags: Mapping[str, str]
) -> tuple[frozenset[str], ModelFields]:
    """Return the fields that an update is about, and their new values."""
    given = ModelFields(description=description, tags=tags)
    if not mask:
        return frozenset(field.name for field, _ in given.ListFields()), given
    if list(mask) == ["*"]:
        return frozenset(FREE_FIELDS), given
    foreign = [path for path in mask if path not in FREE_FIELDS]
    if foreign:
        raise Invalid(
            Reason.REASON_MALFORMED,
            f"Update only {' and '.join(FREE_FIELDS)}; {foreign[0]} cannot be changed.",
            field="update_mask",
        )
    return frozenset(mask), given


def number_in(model: ModelName, version: str, field: str) -> int:
    """Return the number of a version of `model`; refuse another model's."""
    name = VersionName.parse(version)
    if name.parent != model:
        raise Invalid(
            Reason.REASON_MALFORMED, f"Name a version of {model}; {name} is none.", field=field
        )
    return name.number
