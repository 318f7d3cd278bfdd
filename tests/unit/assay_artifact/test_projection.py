"""Which rows the events of artifacts mean."""

from datetime import UTC, datetime

from google.protobuf.message import Message

from assay.artifact.v1.events_pb2 import BlobStored, ManifestCommitted, UploadBegun
from assay.artifact.v1.resources_pb2 import Proof
from assay.event.v1.envelope_pb2 import Envelope
from assay_artifact.projection import ARTIFACT
from assay_events.envelope import Recorded, Stored
from assay_events.projection import Add
from tests.unit.assay_artifact.examples import digest, name

TIME = datetime(2026, 1, 2, tzinfo=UTC)


def recorded(event: Message) -> Recorded:
    envelope = Envelope()
    envelope.time.FromDatetime(TIME)
    return Recorded(envelope, event, Stored("assay.v1.artifact.blob.0", "", b"", 7, TIME))


def test_a_stored_blob_is_a_row() -> None:
    event = BlobStored(name=name("a"), size_bytes=3, proof=Proof.PROOF_SHA256)
    row = {
        "name": name("a"),
        "size_bytes": 3,
        "proof": "PROOF_SHA256",
        "create_time": TIME,
        "revision": 7,
    }
    assert list(ARTIFACT.apply(recorded(event))) == [Add("blob", row)]


def test_a_committed_manifest_is_a_row_of_its_namespace() -> None:
    event = ManifestCommitted(
        name=name("m"), manifest_digest=digest("m"), file_count=2, size_bytes=9
    )
    row = {
        "name": name("m"),
        "namespace": "namespaces/default",
        "manifest_digest": digest("m"),
        "file_count": 2,
        "size_bytes": 9,
        "create_time": TIME,
        "revision": 7,
    }
    assert list(ARTIFACT.apply(recorded(event))) == [Add("manifest", row)]


def test_an_unfinished_upload_is_no_row() -> None:
    assert list(ARTIFACT.apply(recorded(UploadBegun(name=name("a"))))) == []
