"""What the rules and the store know, as messages."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.artifact.v1 import resources_pb2 as artifact
from assay_artifact.domain.blob import Blob
from assay_artifact.domain.listing import Listing
from assay_artifact.domain.manifest import Manifest
from assay_artifact.ports.blob_store import Signed
from assay_events.fold import Folded


def blob(folded: Folded[Blob]) -> artifact.Blob:
    """Return a stored blob."""
    state = folded.state
    return artifact.Blob(
        name=state.name,
        etag=folded.etag(state.name),
        create_time=_timestamp(folded.touch(state.name).update_time),
        size_bytes=state.size_bytes,
        proof=state.proof,
    )


def manifest(folded: Folded[Manifest], listing: Listing) -> artifact.Manifest:
    """Return a committed manifest with the files of `listing`."""
    state = folded.state
    return artifact.Manifest(
        name=state.name,
        etag=folded.etag(state.name),
        create_time=_timestamp(folded.touch(state.name).create_time),
        manifest_digest=state.manifest_digest,
        files=[
            artifact.File(path=entry.path, digest=entry.digest, size_bytes=entry.size_bytes)
            for entry in listing.entries
        ],
        file_count=state.file_count,
        size_bytes=state.size_bytes,
    )


def signed(request: Signed) -> artifact.SignedRequest:
    """Return a signed request."""
    return artifact.SignedRequest(
        url=request.url, headers=request.headers, expire_time=_timestamp(request.expire_time)
    )


def stored(digest: str) -> artifact.BlobPlan:
    """Return the plan for a blob of which there is nothing to send."""
    return artifact.BlobPlan(digest=digest, state=artifact.BLOB_STATE_STORED)


def single(digest: str, put: Signed) -> artifact.BlobPlan:
    """Return the plan for a blob that is sent as one PUT."""
    return artifact.BlobPlan(digest=digest, state=artifact.BLOB_STATE_SINGLE, put=signed(put))


def multipart(digest: str, missing_parts: Iterable[int]) -> artifact.BlobPlan:
    """Return the plan for a blob that is sent in parts."""
    return artifact.BlobPlan(
        digest=digest, state=artifact.BLOB_STATE_MULTIPART, missing_parts=missing_parts
    )


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
