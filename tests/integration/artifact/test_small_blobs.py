"""Blobs of one PUT: the store itself checks the digest, and nothing else gets in."""

import asyncio
import socket
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1.resources_pb2 import BlobState, Proof, SignedRequest
from assay_artifact.ports import checksums
from assay_artifact.ports.blob_store import Missing
from assay_trust import digests
from tests.integration.artifact.depot import Depot, claim_of, put, refused

DATA = b"some weights"
OTHER = b"SOME WEIGHTS"


def signed_put(depot: Depot, data: bytes = DATA) -> SignedRequest:
    (plan,) = depot.begin(claim_of(data))
    assert plan.state == BlobState.BLOB_STATE_SINGLE
    return plan.put


def assert_nothing_is_stored(depot: Depot) -> None:
    with pytest.raises(Missing):
        asyncio.run(depot.bucket.head(depot.key(digests.sha256(DATA))))
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.complete(claim_of(DATA))


@pytest.mark.parametrize("data", [DATA, b""])
def test_a_blob_is_sent_stored_and_known(depot: Depot, data: bytes) -> None:
    assert put(signed_put(depot, data), data) == 200
    (blob,) = depot.complete(claim_of(data))
    assert blob.size_bytes == len(data)
    assert blob.proof == Proof.PROOF_SHA256
    assert blob.create_time.seconds > 0
    assert depot.stub.GetBlob(api.GetBlobRequest(name=blob.name)).blob == blob
    assert depot.begin(claim_of(data))[0].state == BlobState.BLOB_STATE_STORED
    assert depot.complete(claim_of(data)) == [blob]
    assert depot.download(digests.sha256(data)) == data


def test_other_bytes_are_refused_by_the_store(depot: Depot) -> None:
    assert put(signed_put(depot), OTHER) == 400
    assert_nothing_is_stored(depot)


def test_other_bytes_under_their_own_checksum_are_refused_by_the_store(depot: Depot) -> None:
    own = checksums.of_whole(digests.sha256_raw(OTHER))
    assert put(signed_put(depot), OTHER, x_amz_checksum_sha256=own) == 403
    assert_nothing_is_stored(depot)


def test_bytes_without_a_checksum_are_refused_by_the_store(depot: Depot) -> None:
    assert put(signed_put(depot), OTHER, x_amz_checksum_sha256="") == 403
    assert_nothing_is_stored(depot)


def test_a_shorter_body_is_refused_by_the_store(depot: Depot) -> None:
    assert put(signed_put(depot), DATA[:-1], content_length=str(len(DATA) - 1)) == 403
    assert_nothing_is_stored(depot)


def test_a_body_that_ends_early_is_not_stored(depot: Depot) -> None:
    signed = signed_put(depot)
    url = urlsplit(signed.url)
    lines = [f"PUT {url.path}?{url.query} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {value}" for name, value in signed.headers.items()]
    with socket.create_connection((url.hostname or "", url.port or 80)) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode() + DATA[:-1])
        line.shutdown(socket.SHUT_WR)
        line.settimeout(5)
        assert b" 200 " not in line.recv(4096)
    assert_nothing_is_stored(depot)


def test_a_longer_body_is_cut_or_refused_but_never_stored_as_other_bytes(depot: Depot) -> None:
    assert put(signed_put(depot), DATA + b"!", content_length=str(len(DATA) + 1)) == 403
    assert_nothing_is_stored(depot)


def test_a_signature_is_for_one_key_only(depot: Depot) -> None:
    signed = signed_put(depot)
    mine, other = digests.sha256(DATA)[7:], digests.sha256(OTHER)[7:]
    signed.url = signed.url.replace(mine[:2] + "/" + mine, other[:2] + "/" + other)
    assert put(signed, DATA) == 403


def test_a_digest_without_bytes_is_no_blob(depot: Depot) -> None:
    assert_nothing_is_stored(depot)


def test_an_object_with_other_bytes_is_not_recorded(depot: Depot) -> None:
    asyncio.run(depot.bucket.put(depot.key(digests.sha256(DATA)), OTHER))
    with refused("FAILED_PRECONDITION", "DIGEST_MISMATCH"):
        depot.complete(claim_of(DATA))
    assert depot.begin(claim_of(DATA))[0].state == BlobState.BLOB_STATE_SINGLE
    assert put(signed_put(depot), DATA) == 200  # the right bytes heal it
    assert depot.complete(claim_of(DATA))


def test_a_claim_of_another_size_is_not_recorded(depot: Depot) -> None:
    put(signed_put(depot), DATA)
    lie = claim_of(DATA)
    lie.size_bytes -= 1
    with refused("FAILED_PRECONDITION", "DIGEST_MISMATCH"):
        depot.complete(lie)
    depot.complete(claim_of(DATA))
    with refused("FAILED_PRECONDITION", "PARTS_CONFLICT"):
        depot.begin(lie)
    with refused("FAILED_PRECONDITION", "PARTS_CONFLICT"):
        depot.complete(lie)


def test_namespaces_know_nothing_of_each_other(depot: Depot) -> None:
    depot.store_small(DATA)
    other = replace(depot, namespace=f"namespaces/t-{uuid4()}")
    assert other.begin(claim_of(DATA))[0].state == BlobState.BLOB_STATE_SINGLE
    with refused("NOT_FOUND", "NOT_FOUND"):
        other.download(digests.sha256(DATA))


def test_a_thousand_blobs_go_in_one_call(depot: Depot) -> None:
    claims = [claim_of(str(number).encode()) for number in range(1000)]
    plans = depot.begin(*claims)
    assert [plan.digest for plan in plans] == [claim.digest for claim in claims]
    for number in range(0, 1000, 100):
        put(plans[number].put, str(number).encode())
    sent = [claims[number] for number in range(0, 1000, 100)]
    assert [blob.size_bytes for blob in depot.complete(*sent, *sent)] == [1] + [3] * 9 + [1] + [
        3
    ] * 9
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.complete(*claims)


def test_the_same_request_again_gives_the_same_answer(depot: Depot) -> None:
    put(signed_put(depot), DATA)
    request_id = str(uuid4())
    first = depot.complete(claim_of(DATA), request_id=request_id)
    assert depot.complete(claim_of(DATA), request_id=request_id) == first


@pytest.mark.parametrize(
    "parent", ["", "default", "namespaces/../x", "namespaces/A", "namespaces/a/b"]
)
def test_a_namespace_must_be_well_formed(depot: Depot, parent: str) -> None:
    with refused("INVALID_ARGUMENT", "REQUIRED" if not parent else "MALFORMED"):
        replace(depot, namespace=parent).begin(claim_of(DATA))


def test_downloads_are_signed_for_stored_blobs_only(depot: Depot) -> None:
    signed_put(depot)
    with refused("NOT_FOUND", "NOT_FOUND"):
        depot.download(digests.sha256(DATA))
    with refused("INVALID_ARGUMENT", "MALFORMED"):
        depot.download("sha256:../../etc/passwd")
