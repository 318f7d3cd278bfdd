"""A small real store and artifact service: HTTP and gRPC on loopback, bytes in memory."""

# ruff: noqa: N802 - methods carry the names of the proto and of http.server

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1 import resources_pb2 as artifact
from assay.artifact.v1.artifact_service_pb2_grpc import (
    ArtifactServiceServicer,
    ArtifactServiceStub,
    add_ArtifactServiceServicer_to_server,
)
from assay.manifests import Entry, digest


@dataclass
class Objects:
    """What a store holds, and how it should misbehave next."""

    url: str = ""
    stored: dict[str, bytes] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    cut_after: int = 0
    signatures: int = 0


def _handler(objects: Objects) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            objects.requests["PUT"] += 1
            if objects.answers:
                self._answer(objects.answers.pop(0))
            elif self.headers["x-amz-checksum-sha256"] != _checksum(body):
                self._answer(400, b"<Error><Code>BadDigest</Code></Error>")
            else:
                objects.stored[self.path] = body
                self._answer(200)

        def do_GET(self) -> None:
            objects.requests["GET"] += 1
            if objects.answers:
                self._answer(objects.answers.pop(0))
                return
            body = objects.stored[self.path]
            start = int(self.headers.get("range", "bytes=0-")[6:-1])
            end = min(start + objects.cut_after, len(body)) if objects.cut_after else len(body)
            self.send_response(206 if start else 200)
            self.send_header("content-length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start:end])
            self.close_connection = end < len(body)

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    return Handler


def _checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


@contextmanager
def object_store() -> Iterator[Objects]:
    """Give a store that checks the signed digest of what it is sent."""
    objects = Objects()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(objects))
    objects.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield objects
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Artifacts(ArtifactServiceServicer):
    """An artifact service that trusts its caller and keeps all in memory."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.manifests: dict[str, artifact.Manifest] = {}
        self.sign_calls: list[int] = []
        self.completed: list[str] = []

    def BeginUpload(
        self, request: api.BeginUploadRequest, _: grpc.ServicerContext
    ) -> api.BeginUploadResponse:
        return api.BeginUploadResponse(plans=[self._plan(blob) for blob in request.blobs])

    def SignParts(
        self, request: api.SignPartsRequest, _: grpc.ServicerContext
    ) -> api.SignPartsResponse:
        self.sign_calls.append(len(request.part_numbers))
        blob = request.blob
        return api.SignPartsResponse(
            puts=[
                self._signed(f"{blob.digest}/{number}", blob.part_digests[number - 1])
                for number in request.part_numbers
            ]
        )

    def CompleteBlobs(
        self, request: api.CompleteBlobsRequest, _: grpc.ServicerContext
    ) -> api.CompleteBlobsResponse:
        for blob in request.blobs:
            parts = [
                self.objects.stored.pop(f"/{blob.digest}/{number}")
                for number in range(1, len(blob.part_digests) + 1)
            ]
            if parts:
                self.objects.stored[f"/{blob.digest}"] = b"".join(parts)
            self.completed.append(blob.digest)
        return api.CompleteBlobsResponse()

    def CommitManifest(
        self, request: api.CommitManifestRequest, _: grpc.ServicerContext
    ) -> api.CommitManifestResponse:
        entries = [Entry(f.path, f.digest, f.size_bytes) for f in request.manifest.files]
        named = artifact.Manifest(manifest_digest=digest(entries), files=request.manifest.files)
        self.manifests[named.manifest_digest] = named
        return api.CommitManifestResponse(manifest=named)

    def GetManifest(
        self, request: api.GetManifestRequest, _: grpc.ServicerContext
    ) -> api.GetManifestResponse:
        hexadecimal = request.name.rpartition("-")[2]
        return api.GetManifestResponse(manifest=self.manifests[f"sha256:{hexadecimal}"])

    def ListManifests(
        self, request: api.ListManifestsRequest, _: grpc.ServicerContext
    ) -> api.ListManifestsResponse:
        del request
        return api.ListManifestsResponse(manifests=self.manifests.values())

    def GetBlob(self, request: api.GetBlobRequest, _: grpc.ServicerContext) -> api.GetBlobResponse:
        return api.GetBlobResponse(blob=artifact.Blob(name=request.name))

    def SignDownloads(
        self, request: api.SignDownloadsRequest, _: grpc.ServicerContext
    ) -> api.SignDownloadsResponse:
        return api.SignDownloadsResponse(gets=[self._signed(d, b"") for d in request.digests])

    def _plan(self, blob: artifact.BlobClaim) -> artifact.BlobPlan:
        if f"/{blob.digest}" in self.objects.stored:
            return artifact.BlobPlan(digest=blob.digest, state=artifact.BLOB_STATE_STORED)
        if blob.part_digests:
            return artifact.BlobPlan(
                digest=blob.digest,
                state=artifact.BLOB_STATE_MULTIPART,
                missing_parts=range(1, len(blob.part_digests) + 1),
            )
        raw = bytes.fromhex(blob.digest.removeprefix("sha256:"))
        put = self._signed(blob.digest, raw)
        return artifact.BlobPlan(digest=blob.digest, state=artifact.BLOB_STATE_SINGLE, put=put)

    def _signed(self, path: str, raw_digest: bytes) -> artifact.SignedRequest:
        self.objects.signatures += 1
        headers = {"x-amz-checksum-sha256": base64.b64encode(raw_digest).decode()}
        return artifact.SignedRequest(url=f"{self.objects.url}/{path}", headers=headers)


@contextmanager
def artifact_service(objects: Objects) -> Iterator[tuple[Artifacts, ArtifactServiceStub]]:
    """Give the service and a stub that calls it."""
    service = Artifacts(objects)
    server = grpc.server(ThreadPoolExecutor(8))
    add_ArtifactServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield service, ArtifactServiceStub(channel)
    server.stop(None)
