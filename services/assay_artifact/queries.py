"""What the read model of artifacts answers: one blob, and the manifests of a namespace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.artifact.v1.artifact_service_pb2 import ListManifestsRequest
from assay.artifact.v1.resources_pb2 import Blob, Manifest, Proof
from assay_events.decider import NotFound
from assay_serve.filtering import Kind
from assay_serve.paging import Key, Orders, fetch
from assay_serve.postgres import Snapshot

SELECT_BLOB = """
SELECT name, size_bytes, proof, create_time, revision FROM blob WHERE name = $1 AND revision <= $2
"""
SELECT_MANIFESTS = """
SELECT name, manifest_digest, file_count, size_bytes, create_time, revision
FROM manifest m WHERE namespace = $1 AND revision <= $2
"""
_REVISION = Key("m.revision", Kind.INTEGER)
_ORDERS = Orders({"revision": _REVISION}, default="revision desc", tie=_REVISION)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of manifests."""

    manifests: Sequence[Manifest]
    next_page_token: str


async def get_blob(snapshot: Snapshot, name: str) -> Blob:
    """Return one blob."""
    row = await snapshot.db.fetchrow(SELECT_BLOB, name, snapshot.revision)
    if row is None:
        raise NotFound(name)
    return Blob(
        name=row["name"],
        etag=f'"{row["revision"]}"',
        create_time=_timestamp(row["create_time"]),
        size_bytes=row["size_bytes"],
        proof=Proof.Value(row["proof"]),
    )


async def list_manifests(snapshot: Snapshot, namespace: str, request: ListManifestsRequest) -> Page:
    """Return one page of the manifests of a namespace, newest first, without their files."""
    arguments = (namespace, snapshot.revision)
    page = await fetch(snapshot.db, SELECT_MANIFESTS, arguments, request, _ORDERS)
    manifests = [
        Manifest(
            name=row["name"],
            etag=f'"{row["revision"]}"',
            create_time=_timestamp(row["create_time"]),
            manifest_digest=row["manifest_digest"],
            file_count=row["file_count"],
            size_bytes=row["size_bytes"],
        )
        for row in page.rows
    ]
    return Page(manifests, page.next_page_token)


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
