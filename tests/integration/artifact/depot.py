"""The artifact service as a process, on real S3, NATS and Postgres, and a client's few words."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
import urllib3

from assay import channels
from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.artifact.v1.resources_pb2 import (
    Blob,
    BlobClaim,
    BlobPlan,
    File,
    Manifest,
    SignedRequest,
)
from assay.calls import Calls, RetryPolicy
from assay.errors import AssayError
from assay.names import ArtifactName, NamespaceName
from assay_artifact.domain.claim import MIN_PART_BYTES
from assay_artifact.ports.presign import Credentials
from assay_artifact.ports.s3 import S3, Bucket
from assay_artifact.service.places import key_of
from assay_serve.embedded import health, identity, nats, objects, ports, postgres
from assay_serve.embedded.processes import Program, Running
from assay_trust import digests, tokens
from tests.support import mtls
from tests.support.scribe import DEPLOYMENT

ANN = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
_HTTP = urllib3.PoolManager(retries=False, timeout=20)


@dataclass
class Depot:
    """A running service, what it stands on, and a namespace of one's own."""

    environ: Mapping[str, str]
    service: Running
    store: objects.Store
    database: postgres.Database
    stub: ArtifactServiceStub
    namespace: str = ""

    @property
    def place(self) -> Bucket:
        """Where the bucket is, and the service's keys to it."""
        who = Credentials(self.store.access_key, self.store.secret_key)
        return Bucket(self.store.url, self.store.bucket, who)

    @property
    def bucket(self) -> S3:
        """The bucket as the service sees it."""
        return S3(self.place)

    def name(self, digest: str) -> ArtifactName:
        """Return the name of a blob in this namespace."""
        return ArtifactName.of(NamespaceName.parse(self.namespace), digest)

    def key(self, digest: str) -> str:
        """Return where a blob lies."""
        return key_of(self.name(digest))

    def run(self, verb: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the operator's verbs."""
        command = [sys.executable, "-m", "assay_artifact.main", verb]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )

    def begin(self, *claims: BlobClaim, request_id: str = "") -> Sequence[BlobPlan]:
        """Ask how to send blobs."""
        request = api.BeginUploadRequest(parent=self.namespace, blobs=claims, request_id=request_id)
        return self.stub.BeginUpload(request).plans

    def sign_part(self, claim: BlobClaim, number: int) -> SignedRequest:
        """Return the PUT of one part."""
        request = api.SignPartsRequest(parent=self.namespace, blob=claim, part_numbers=[number])
        return self.stub.SignParts(request).puts[0]

    def send_parts(self, claim: BlobClaim, data: bytes, numbers: Sequence[int]) -> None:
        """Send some parts of a blob."""
        for number in numbers:
            put(self.sign_part(claim, number), part_of(data, number))

    def complete(self, *claims: BlobClaim, request_id: str = "") -> Sequence[Blob]:
        """Have sent blobs recorded."""
        request = api.CompleteBlobsRequest(
            parent=self.namespace, blobs=claims, request_id=request_id
        )
        return self.stub.CompleteBlobs(request).blobs

    def store_small(self, data: bytes) -> Blob:
        """Store a small blob."""
        (plan,) = self.begin(claim_of(data))
        if plan.HasField("put"):
            put(plan.put, data)
        return self.complete(claim_of(data))[0]

    def commit(self, *files: File) -> Manifest:
        """Commit a manifest."""
        request = api.CommitManifestRequest(parent=self.namespace, manifest=Manifest(files=files))
        return self.stub.CommitManifest(request).manifest

    def download(self, digest: str) -> bytes:
        """Return the bytes of a blob as a client gets them."""
        request = api.SignDownloadsRequest(parent=self.namespace, digests=[digest])
        (signed,) = self.stub.SignDownloads(request).gets
        response = _HTTP.request("GET", signed.url, headers=dict(signed.headers))
        assert response.status == 200
        return response.data


def claim_of(data: bytes) -> BlobClaim:
    """Return the true claim for some bytes."""
    parts = [data[at : at + MIN_PART_BYTES] for at in range(0, len(data), MIN_PART_BYTES)]
    return BlobClaim(
        digest=digests.sha256(data),
        size_bytes=len(data),
        part_size_bytes=MIN_PART_BYTES,
        part_digests=[sha256(part).digest() for part in parts] if len(parts) > 1 else [],
    )


def part_of(data: bytes, number: int) -> bytes:
    """Return one part of a blob."""
    return data[(number - 1) * MIN_PART_BYTES : number * MIN_PART_BYTES]


def large(seed: int) -> bytes:
    """Return 40 MiB and a few bytes: three parts."""
    return random.Random(seed).randbytes(40 * 1024 * 1024 + 7)


def file_of(path: str, data: bytes) -> File:
    """Return the entry of a file in a manifest."""
    return File(path=path, digest=digests.sha256(data), size_bytes=len(data))


def put(signed: SignedRequest, data: bytes, **changes: str) -> int:
    """Send bytes under a signature, with changed headers if any; return the status."""
    headers = dict(signed.headers) | {name.replace("_", "-"): v for name, v in changes.items()}
    kept = {name: value for name, value in headers.items() if value}
    return _HTTP.request("PUT", signed.url, body=data, headers=kept).status


@contextmanager
def refused(code: str, reason: str) -> Iterator["pytest.ExceptionInfo[AssayError]"]:
    """Expect a refusal."""
    with pytest.raises(AssayError) as caught:
        yield caught
    assert (caught.value.code, caught.value.reason) == (code, reason)


@contextmanager
def running(folder: Path) -> Iterator[Depot]:
    """Run everything, with the service healthy."""
    trust = folder / "identity"
    trust.mkdir()
    identity.make(trust)
    with (
        nats.running(folder / "nats") as bus,
        postgres.running(folder / "postgres") as database,
        objects.running(folder / "s3") as store,
    ):
        environ = _environ(trust, bus, database, store)
        _set_up(environ, bus)
        service = _service(folder, environ)
        service.start()
        try:
            stub = ArtifactServiceStub(_channel(environ["ASSAY_LISTEN"], trust))
            yield Depot(environ, service, store, database, stub)
        finally:
            service.stop()


def _service(folder: Path, environ: Mapping[str, str]) -> Running:
    program = Program(
        name="artifact",
        argv=(sys.executable, "-m", "assay_artifact.main", "serve"),
        folder=folder,
        log=folder / "artifact.log",
        env=environ,
    )
    port = int(environ["ASSAY_LISTEN"].rpartition(":")[2])
    return Running(program, lambda: asyncio.run(health.is_serving(port)))


def _environ(
    trust: Path, bus: nats.Bus, database: postgres.Database, store: objects.Store
) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ASSAY_SERVICE": "artifact",
        "ASSAY_LISTEN": f"127.0.0.1:{ports.free(set())}",
        "ASSAY_NATS_URL": bus.url,
        "ASSAY_NATS_USER": "artifact",
        "ASSAY_NATS_PASSWORD": bus.passwords["artifact"],
        "ASSAY_POSTGRES_URL": database.url("artifact"),
        "ASSAY_DEPLOYMENT": DEPLOYMENT,
        "ASSAY_OWNER": ANN,
        "ASSAY_JWKS": str(trust / identity.TRUSTED),
        "ASSAY_SERVICE_KEY": str(identity.service_key(trust, "artifact")),
        "ASSAY_PEERS": json.dumps({}),
        **mtls.environ(trust, "artifact"),
        "ASSAY_S3_URL": store.url,
        "ASSAY_S3_ACCESS_KEY": store.access_key,
        "ASSAY_S3_SECRET_KEY": store.secret_key,
        "ASSAY_S3_BUCKET": store.bucket,
    }


def _set_up(environ: Mapping[str, str], bus: nats.Bus) -> None:
    who = {"ASSAY_NATS_USER": "setup", "ASSAY_NATS_PASSWORD": bus.passwords["setup"]}
    command = [sys.executable, "-m", "assay_events.setup"]
    subprocess.run(command, env={**environ, **who}, check=True, timeout=30)


def _channel(address: str, trust: Path) -> grpc.Channel:
    pem = (trust / "issuer.pem").read_bytes()
    token = tokens.mint_user(pem, identity.ISSUER, ANN, int(time.time()))
    policy = RetryPolicy(deadline_seconds=10.0, max_attempts=1)
    return channels.open_sync(address, Calls(lambda: token, policy))
