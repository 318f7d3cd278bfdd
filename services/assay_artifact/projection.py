"""The read model of artifacts: a row for each blob and each manifest, written once."""

from collections.abc import Iterable
from importlib.resources import files

from assay.artifact.v1.events_pb2 import BlobStored, ManifestCommitted, UploadBegun
from assay.artifact.v1.resources_pb2 import Proof
from assay.names import ArtifactName
from assay_events.envelope import Recorded
from assay_events.projection import Add, Projection, Row, Write


def apply(recorded: Recorded) -> Iterable[Write]:
    """Return the rows that `recorded` means."""
    match recorded.event:
        case BlobStored() as event:
            yield Add("blob", _blob(recorded, event))
        case ManifestCommitted() as event:
            yield Add("manifest", _manifest(recorded, event))
        case UploadBegun():
            return  # nobody asks for unfinished uploads yet
        case _:
            return


def _blob(recorded: Recorded, event: BlobStored) -> Row:
    return {
        "name": event.name,
        "size_bytes": event.size_bytes,
        "proof": Proof.Name(event.proof),
        "create_time": recorded.time,
        "revision": recorded.revision,
    }


def _manifest(recorded: Recorded, event: ManifestCommitted) -> Row:
    return {
        "name": event.name,
        "namespace": str(ArtifactName.parse(event.name).parent),
        "manifest_digest": event.manifest_digest,
        "file_count": event.file_count,
        "size_bytes": event.size_bytes,
        "create_time": recorded.time,
        "revision": recorded.revision,
    }


ARTIFACT = Projection(
    name="artifact",
    schema=(files(__package__ or "assay_artifact") / "schema.sql").read_text(),
    events=(UploadBegun, BlobStored, ManifestCommitted),
    apply=apply,
)
