"""Blobs of parts: 40 MiB that may stop anywhere, be sent by two, or be lied about."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1.resources_pb2 import Blob, BlobClaim, BlobState, Proof
from assay.names import NamespaceName
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_artifact.domain.blob import BLOB
from assay_artifact.domain.claim import parse
from assay_artifact.ports.blob_store import Missing, Part
from assay_artifact.ports.s3 import S3
from assay_artifact.service.sending import Plan, Sending
from assay_artifact.service.storing import Storing
from assay_events.commands import Commands, Intent
from assay_events.connection import Address, Connection
from assay_events.envelope import Stored
from assay_events.jetstream import JetStream
from tests.integration.artifact.depot import ANN, Depot, claim_of, large, part_of, put, refused

DATA = large(1)
CLAIM = claim_of(DATA)


def forged() -> BlobClaim:
    """Return the digest of the data with other parts."""
    lie = BlobClaim()
    lie.CopyFrom(CLAIM)
    lie.part_digests[0] = bytes(32)
    return lie


def begin(depot: Depot, claim: BlobClaim = CLAIM) -> list[int]:
    """Return the parts to send."""
    (plan,) = depot.begin(claim)
    assert plan.state == BlobState.BLOB_STATE_MULTIPART
    return list(plan.missing_parts)


def events(depot: Depot) -> list[Stored]:
    """Return what the stream has of the blob."""

    async def read() -> list[Stored]:
        async with stream(depot) as store:
            return list(await store.read_subject(BLOB.subject(str(depot.name(CLAIM.digest)))))

    return asyncio.run(read())


@asynccontextmanager
async def stream(depot: Depot) -> AsyncIterator[JetStream]:
    """The stream as the service sees it."""
    told = depot.environ
    who = Address(told["ASSAY_NATS_URL"], told["ASSAY_NATS_USER"], told["ASSAY_NATS_PASSWORD"])
    connection = await Connection.open(who)
    try:
        yield JetStream(connection)
    finally:
        await connection.close()


async def complete_elsewhere(depot: Depot) -> None:
    """Put the parts together as another call would, and leave it unrecorded."""
    key, upload = depot.key(CLAIM.digest), upload_id(depot)
    parts = await depot.bucket.list_parts(key, upload)
    digests = dict(enumerate(CLAIM.part_digests, 1))
    etags = {number: part.etag for number, part in parts.items()}
    await depot.bucket.complete_upload(key, upload, etags, digests)


def intent() -> Intent:
    """Return a request of its own."""
    who = Actor(principal=f"principals/{ANN}", kind=ActorKind.ACTOR_KIND_HUMAN)
    return Intent(who, str(uuid4()), bytes(32), datetime.now(UTC))


def types(depot: Depot) -> list[str]:
    return [stored.type.rsplit(".", 1)[1] for stored in events(depot)]


def upload_id(depot: Depot) -> str:
    """Return the store's id of the upload, as a signed part names it."""
    url = depot.sign_part(CLAIM, 1).url
    return url.split("uploadId=")[1].split("&")[0]


def test_a_blob_is_sent_in_parts_and_proven_by_them(depot: Depot) -> None:
    assert begin(depot) == [1, 2, 3]
    depot.send_parts(CLAIM, DATA, [3, 1, 2])
    assert begin(depot) == []
    (blob,) = depot.complete(CLAIM)
    assert blob.proof == Proof.PROOF_COMPOSITE_SHA256
    assert blob.size_bytes == len(DATA)
    assert depot.begin(CLAIM)[0].state == BlobState.BLOB_STATE_STORED
    assert depot.complete(CLAIM) == [blob]
    assert depot.stub.GetBlob(api.GetBlobRequest(name=blob.name)).blob == blob
    assert depot.download(CLAIM.digest) == DATA
    assert types(depot) == ["UploadBegun", "BlobStored"]
    with refused("ALREADY_EXISTS", "ALREADY_EXISTS"):
        depot.sign_part(CLAIM, 1)


def test_an_interrupted_upload_goes_on_where_it_stopped(depot: Depot) -> None:
    begin(depot)
    depot.send_parts(CLAIM, DATA, [2])
    assert begin(depot) == [1, 3]
    depot.send_parts(CLAIM, DATA, [1, 3])
    assert depot.complete(CLAIM)
    assert types(depot) == ["UploadBegun", "BlobStored"]


def test_completing_too_early_says_which_parts_are_missing(depot: Depot) -> None:
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.complete(CLAIM)
    begin(depot)
    depot.send_parts(CLAIM, DATA, [2])
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING") as caught:
        depot.complete(CLAIM)
    assert caught.value.metadata["parts"] == "1 3"
    assert types(depot) == ["UploadBegun"]


def test_a_part_takes_its_own_bytes_only(depot: Depot) -> None:
    begin(depot)
    signed = depot.sign_part(CLAIM, 1)
    wrong = part_of(DATA, 2)
    assert put(signed, wrong) == 400
    assert put(signed, wrong, x_amz_checksum_sha256="") == 403
    assert put(signed, wrong[:-1], content_length=str(len(wrong) - 1)) == 403
    assert put(depot.sign_part(CLAIM, 2), wrong, x_amz_checksum_sha256="bm9uZQ==") == 403
    assert begin(depot) == [1, 2, 3]


def test_parts_are_signed_as_they_were_claimed(depot: Depot) -> None:
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.sign_part(CLAIM, 1)
    begin(depot)
    with refused("FAILED_PRECONDITION", "PARTS_CONFLICT"):
        depot.sign_part(forged(), 1)
    for number in (0, 4, -1):
        with refused("INVALID_ARGUMENT", "MALFORMED"):
            depot.sign_part(CLAIM, number)


def test_the_same_digest_with_other_parts_is_a_conflict(depot: Depot) -> None:
    begin(depot)
    for ask in (depot.begin, depot.complete):
        with refused("FAILED_PRECONDITION", "PARTS_CONFLICT"):
            ask(forged())
    depot.send_parts(CLAIM, DATA, [1, 2, 3])
    depot.complete(CLAIM)
    for ask in (depot.begin, depot.complete):
        with refused("FAILED_PRECONDITION", "PARTS_CONFLICT"):
            ask(forged())


@pytest.mark.parametrize("part_size", [0, 1024, 2 * 16 * 1024 * 1024])
def test_other_part_sizes_are_refused(depot: Depot, part_size: int) -> None:
    lie = BlobClaim()
    lie.CopyFrom(CLAIM)
    lie.part_size_bytes = part_size
    with refused("INVALID_ARGUMENT", "MALFORMED"):
        depot.begin(lie)


def test_clients_that_begin_at_once_share_one_upload(depot: Depot) -> None:
    with ThreadPoolExecutor(8) as clients:
        plans = list(clients.map(lambda _: begin(depot), range(8)))
    assert plans == [[1, 2, 3]] * 8
    assert types(depot) == ["UploadBegun"]


def test_two_clients_send_the_same_blob_and_are_told_the_same(depot: Depot) -> None:
    def send(_: int) -> None:
        depot.send_parts(CLAIM, DATA, begin(depot))

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(send, range(2)))
        first, *others = clients.map(lambda _: depot.complete(CLAIM)[0], range(4))
    assert all(blob == first for blob in others)
    assert types(depot) == ["UploadBegun", "BlobStored"]


class Emptied(S3):
    """The bucket at the moment when another call's object is there, and its parts no longer."""

    async def list_parts(self, key: str, upload_id: str) -> Mapping[int, Part]:
        """Return none of the parts, as SeaweedFS does just before it forgets the upload."""
        del key, upload_id
        return {}


def test_parts_that_another_call_has_just_put_together_are_not_missing(depot: Depot) -> None:
    depot.send_parts(CLAIM, DATA, begin(depot))
    asyncio.run(complete_elsewhere(depot))
    blobs = Emptied(depot.place)

    async def ask() -> tuple[Plan, Blob]:
        async with stream(depot) as store:
            commands = Commands(
                store, context="artifact", deployment=depot.environ["ASSAY_DEPLOYMENT"]
            )
            space, claim = NamespaceName.parse(depot.namespace), parse(CLAIM)
            plan = await Sending(commands, blobs).plan(space, claim, intent())
            blob, _ = await Storing(commands, blobs).complete(space, claim, intent())
            return plan, blob

    plan, blob = asyncio.run(ask())
    assert list(plan.message.missing_parts) == []
    assert depot.complete(CLAIM) == [blob]
    assert types(depot) == ["UploadBegun", "BlobStored"]


def test_a_retried_begin_opens_nothing_new(depot: Depot) -> None:
    request_id = str(uuid4())
    first = depot.begin(CLAIM, request_id=request_id)
    assert depot.begin(CLAIM, request_id=request_id) == first
    assert types(depot) == ["UploadBegun"]


def test_an_upload_that_the_store_gave_up_is_opened_again(depot: Depot) -> None:
    request_id = str(uuid4())
    depot.begin(CLAIM, request_id=request_id)
    depot.send_parts(CLAIM, DATA, [1])
    before = upload_id(depot)
    asyncio.run(depot.bucket.abort_upload(depot.key(CLAIM.digest), before))
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.complete(CLAIM)
    assert depot.begin(CLAIM, request_id=request_id)[0].missing_parts == [1, 2, 3]
    assert upload_id(depot) != before
    depot.send_parts(CLAIM, DATA, [1, 2, 3])
    assert depot.complete(CLAIM)
    assert types(depot) == ["UploadBegun", "UploadBegun", "BlobStored"]


@pytest.fixture
def put_together(depot: Depot) -> Depot:
    """A blob whose parts the store has put together, and whose record was lost in a crash."""
    begin(depot)
    depot.send_parts(CLAIM, DATA, [1, 2, 3])
    found = upload_id(depot)

    async def put_parts_together() -> None:
        key, bucket = depot.key(CLAIM.digest), depot.bucket
        parts = await bucket.list_parts(key, found)
        etags = {number: part.etag for number, part in parts.items()}
        digests = dict(enumerate(CLAIM.part_digests, 1))
        await bucket.complete_upload(key, found, etags, digests)

    asyncio.run(put_parts_together())
    return depot


def test_an_object_without_a_record_is_adopted(put_together: Depot) -> None:
    assert begin(put_together) == []
    (blob,) = put_together.complete(CLAIM)
    assert blob.proof == Proof.PROOF_COMPOSITE_SHA256
    assert put_together.download(CLAIM.digest) == DATA


def test_an_object_that_is_not_the_claimed_one_is_not_adopted(put_together: Depot) -> None:
    asyncio.run(put_together.bucket.put(put_together.key(CLAIM.digest), b"other bytes"))
    with refused("FAILED_PRECONDITION", "DIGEST_MISMATCH"):
        put_together.complete(CLAIM)
    assert types(put_together) == ["UploadBegun"]


def test_bytes_in_the_way_are_not_written_over(depot: Depot) -> None:
    begin(depot)
    depot.send_parts(CLAIM, DATA, [1, 2, 3])
    asyncio.run(depot.bucket.put(depot.key(CLAIM.digest), b"other bytes"))
    with refused("FAILED_PRECONDITION", "DIGEST_MISMATCH"):
        depot.complete(CLAIM)
    assert types(depot) == ["UploadBegun"]


def test_a_service_killed_in_the_middle_knows_the_upload_again(depot: Depot) -> None:
    begin(depot)
    depot.send_parts(CLAIM, DATA, [1])
    depot.service.kill()
    depot.service.start()
    assert begin(depot) == [2, 3]
    depot.send_parts(CLAIM, DATA, [2, 3])
    assert depot.complete(CLAIM)


def test_an_abandoned_upload_leaves_nothing_to_read(depot: Depot) -> None:
    begin(depot)
    with pytest.raises(Missing):
        asyncio.run(depot.bucket.head(depot.key(CLAIM.digest)))
    with refused("NOT_FOUND", "NOT_FOUND"):
        depot.download(CLAIM.digest)
