"""The rules of a manifest."""

from assay.artifact.v1.events_pb2 import ManifestCommitted
from assay.error.v1.error_reason_pb2 import Reason
from assay_artifact.domain.manifest import MANIFEST, CommitManifest
from assay_events.spec import Spec

NAME = "namespaces/default/artifacts/sha256-2c"
manifest = Spec(MANIFEST)
committed = ManifestCommitted(name=NAME, manifest_digest="sha256:2c", file_count=2, size_bytes=7)


def commit(*missing: str) -> CommitManifest:
    return CommitManifest(NAME, "sha256:2c", 2, 7, missing)


def test_a_manifest_is_committed_when_all_its_blobs_are_stored() -> None:
    manifest.given().when(commit()).then(committed)


def test_a_manifest_with_missing_blobs_is_refused_and_the_first_are_named() -> None:
    missing = [f"sha256:{number}" for number in range(20)]
    refusal = manifest.given().when(commit(*missing)).then_rejected(Reason.REASON_BLOBS_MISSING)
    assert refusal.metadata["missing"].split() == missing[:10]
    assert refusal.metadata["missing_count"] == "20"


def test_a_manifest_is_committed_once() -> None:
    manifest.given(committed).when(commit()).then_nothing()
