"""The rules of a blob."""

from assay.artifact.v1.events_pb2 import BlobStored, UploadBegun
from assay.artifact.v1.resources_pb2 import Proof
from assay.error.v1.error_reason_pb2 import Reason
from assay_artifact.domain.blob import BLOB, BeginUpload, StoreBlob
from assay_events.spec import Spec

NAME = "namespaces/default/artifacts/sha256-9f"
SIZE = 40
blob = Spec(BLOB)


def begun(upload_id: str = "u1", previous: str = "", parts: bytes = b"p") -> UploadBegun:
    return UploadBegun(
        name=NAME,
        size_bytes=SIZE,
        part_size_bytes=16,
        parts_digest=parts,
        upload_id=upload_id,
        previous_upload_id=previous,
    )


def begin(upload_id: str, previous: str = "", parts: bytes = b"p") -> BeginUpload:
    return BeginUpload(NAME, SIZE, 16, parts, upload_id, previous)


def store(size_bytes: int = SIZE, parts: bytes = b"p") -> StoreBlob:
    return StoreBlob(NAME, size_bytes, Proof.PROOF_COMPOSITE_SHA256, parts, "etag")


composite = BlobStored(
    name=NAME,
    size_bytes=SIZE,
    proof=Proof.PROOF_COMPOSITE_SHA256,
    parts_digest=b"p",
    store_etag="etag",
)
whole = BlobStored(name=NAME, size_bytes=3, proof=Proof.PROOF_SHA256, store_etag="etag")
store_whole = StoreBlob(NAME, 3, Proof.PROOF_SHA256, store_etag="etag")


def test_an_upload_is_begun_under_its_list_of_parts() -> None:
    blob.given().when(begin("u1")).then(begun("u1"))


def test_who_comes_second_joins_the_upload_that_stands() -> None:
    blob.given(begun("u1")).when(begin("u2")).then_nothing()


def test_an_upload_that_the_store_gave_up_is_followed_by_another() -> None:
    blob.given(begun("u1")).when(begin("u2", "u1")).then(begun("u2", "u1"))


def test_of_two_followers_one_stands() -> None:
    blob.given(begun("u1"), begun("u2", "u1")).when(begin("u3", "u1")).then_nothing()


def test_the_same_digest_with_other_parts_is_refused() -> None:
    given = blob.given(begun("u1"))
    given.when(begin("u2", parts=b"q")).then_rejected(Reason.REASON_PARTS_CONFLICT)
    given.when(store(parts=b"q")).then_rejected(Reason.REASON_PARTS_CONFLICT)


def test_a_stored_blob_takes_no_upload() -> None:
    blob.given(begun("u1"), composite).when(begin("u2", "u1")).then_nothing()


def test_a_blob_whose_parts_are_proven_is_stored() -> None:
    blob.given(begun("u1")).when(store()).then(composite)


def test_a_blob_is_stored_once() -> None:
    blob.given(begun("u1"), composite).when(store()).then_nothing()


def test_knowing_the_digest_of_a_stored_blob_is_not_having_it() -> None:
    given = blob.given(begun("u1"), composite)
    given.when(store(parts=b"q")).then_rejected(Reason.REASON_PARTS_CONFLICT)
    given.when(store(size_bytes=1)).then_rejected(Reason.REASON_PARTS_CONFLICT)
    given.when(begin("u2", parts=b"")).then_rejected(Reason.REASON_PARTS_CONFLICT)


def test_a_small_blob_needs_no_upload_by_parts() -> None:
    blob.given().when(store_whole).then(whole)
    blob.given(whole).when(store_whole).then_nothing()


def test_bytes_that_the_store_hashed_whole_outweigh_a_lying_session() -> None:
    blob.given(begun("u1")).when(store_whole).then(whole)


def test_a_stored_blob_is_never_another() -> None:
    given = blob.given(begun("u1"), composite)
    given.when(store_whole).then_rejected(Reason.REASON_PARTS_CONFLICT)
