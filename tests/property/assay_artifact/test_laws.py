"""Laws that hold for any script of commands, any list of files, any request to sign."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from minio.credentials.credentials import Credentials as MinioCredentials
from minio.signer import presign_v4

from assay import hashing, manifests
from assay.artifact.v1.events_pb2 import BlobStored
from assay.artifact.v1.resources_pb2 import File, Proof
from assay_artifact.domain.blob import BLOB, BeginUpload, Command, StoreBlob
from assay_artifact.domain.claim import MAX_BLOB_BYTES, MAX_PARTS, part_size
from assay_artifact.domain.listing import from_bytes, listing
from assay_artifact.ports.presign import Credentials, Unsigned, presign
from assay_events.spec import run
from assay_trust import digests

NAME = "namespaces/default/artifacts/sha256-9f"
uploads = st.sampled_from(["u1", "u2", "u3"])
parts = st.sampled_from([b"p", b"q"])
sizes = st.sampled_from([40, 41])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        BeginUpload,
        st.just(NAME),
        sizes,
        st.just(16),
        parts,
        uploads,
        st.one_of(st.just(""), uploads),
    ),
    st.builds(StoreBlob, st.just(NAME), sizes, st.just(Proof.PROOF_COMPOSITE_SHA256), parts),
    st.builds(StoreBlob, st.just(NAME), sizes, st.just(Proof.PROOF_SHA256), st.just(b"")),
)


@given(st.lists(commands, max_size=12))
def test_a_blob_is_stored_at_most_once_and_nothing_follows(script: list[Command]) -> None:
    history = run(BLOB, script)
    stored = [place for place, event in enumerate(history) if isinstance(event, BlobStored)]
    assert stored in ([], [len(history) - 1])


@given(st.lists(commands, max_size=12))
def test_the_same_commands_again_change_nothing_about_a_stored_blob(script: list[Command]) -> None:
    state = BLOB.fold(run(BLOB, script))
    if state.is_stored:
        assert BLOB.fold(run(BLOB, [*script, *script])) == state


words = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"), min_size=1
)
files = st.lists(
    st.tuples(st.lists(words, min_size=1, max_size=3).map("/".join), st.binary(max_size=3)),
    max_size=6,
)


@given(files)
def test_client_and_server_agree_on_what_a_manifest_is(pairs: list[tuple[str, bytes]]) -> None:
    entries = [manifests.Entry(path, digests.sha256(data), len(data)) for path, data in pairs]
    wanted = [File(path=e.path, digest=e.digest, size_bytes=e.size_bytes) for e in entries]
    try:
        data = manifests.encode(entries)
    except Exception as refusal:  # noqa: BLE001 - whatever the client refuses, the server refuses
        data = type(refusal).__name__.encode()
    try:
        made = listing(reversed(wanted))
        own = made.to_bytes()
        assert from_bytes(own) == made
    except Exception as refusal:  # noqa: BLE001 - as above
        own = type(refusal).__name__.encode()
    assert own == data


@given(st.integers(0, MAX_BLOB_BYTES))
def test_client_and_server_cut_files_alike(size_bytes: int) -> None:
    assert part_size(size_bytes) == hashing.part_size(size_bytes)
    assert -(-size_bytes // part_size(size_bytes)) <= MAX_PARTS


@given(
    st.text("abcXYZ019-_.~", min_size=1),
    st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - made UTC below
    st.integers(1, 604_800),
)
def test_a_url_is_signed_as_another_client_signs_it(
    key: str, value: str, time: datetime, seconds: int
) -> None:
    at, url = time.replace(tzinfo=UTC), f"http://127.0.0.1:8333/assay/{key}"
    request = Unsigned("GET", url, {"uploadId": value})
    ours = presign(Credentials("access", "secret"), request, at, seconds)
    theirs = presign_v4(
        method="GET",
        url=urlsplit(f"{url}?uploadId={quote(value, safe='')}"),
        region="us-east-1",
        credentials=MinioCredentials("access", "secret"),
        date=at,
        expires=seconds,
    )
    assert parse_qs(urlsplit(ours).query) == parse_qs(theirs.query)
