"""Manifests: all files stored, no byte changed unseen, no path that leads out of its folder."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1.resources_pb2 import File, Manifest
from assay.downloads import download
from assay.progress import Progress
from assay.uploads import upload
from assay_trust import digests
from tests.integration.artifact.depot import Depot, claim_of, file_of, large, refused

WEIGHTS, CONFIG = b"weights", b"{}"


@pytest.fixture
def manifest(depot: Depot) -> Manifest:
    """A committed manifest of two files."""
    depot.store_small(WEIGHTS)
    depot.store_small(CONFIG)
    return depot.commit(file_of("weights/model.onnx", WEIGHTS), file_of("config.json", CONFIG))


def get(depot: Depot, name: str, *, without_files: bool = False) -> Manifest:
    request = api.GetManifestRequest(name=name, without_files=without_files)
    return depot.stub.GetManifest(request).manifest


def test_a_manifest_is_committed_and_read_back(depot: Depot, manifest: Manifest) -> None:
    assert [file.path for file in manifest.files] == ["config.json", "weights/model.onnx"]
    assert (manifest.file_count, manifest.size_bytes) == (2, len(WEIGHTS) + len(CONFIG))
    assert manifest.name == str(depot.name(manifest.manifest_digest))
    assert manifest.create_time.seconds > 0
    assert manifest.etag
    assert get(depot, manifest.name) == manifest
    short = get(depot, manifest.name, without_files=True)
    assert not short.files
    assert (short.file_count, short.manifest_digest) == (2, manifest.manifest_digest)


def test_the_same_files_again_are_the_same_manifest(depot: Depot, manifest: Manifest) -> None:
    assert depot.commit(*reversed(manifest.files)) == manifest
    listed = depot.stub.ListManifests(api.ListManifestsRequest(parent=depot.namespace)).manifests
    assert len(listed) == 1


def test_its_bytes_lie_in_the_store_under_their_digest(depot: Depot, manifest: Manifest) -> None:
    data = asyncio.run(depot.bucket.get(depot.key(manifest.manifest_digest), 10_000))
    assert digests.sha256(data) == manifest.manifest_digest


def test_files_that_are_not_stored_are_named(depot: Depot) -> None:
    depot.store_small(WEIGHTS)
    missing = file_of("b", b"never sent")
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING") as caught:
        depot.commit(file_of("a", WEIGHTS), missing)
    assert caught.value.metadata["missing"] == missing.digest


def test_a_file_must_be_stored_with_its_size(depot: Depot) -> None:
    depot.store_small(WEIGHTS)
    lie = File(path="a", digest=digests.sha256(WEIGHTS), size_bytes=len(WEIGHTS) + 1)
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.commit(lie)


def test_a_blob_of_another_namespace_is_missing(depot: Depot, manifest: Manifest) -> None:
    request = api.CommitManifestRequest(
        parent="namespaces/elsewhere", manifest=Manifest(files=manifest.files)
    )
    with refused("FAILED_PRECONDITION", "BLOBS_MISSING"):
        depot.stub.CommitManifest(request)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "a/../../x", "a//b", "a/./b", "a\\b", "a\nb", "e\u0301", "x" * 1025],
)
def test_a_path_that_leads_out_is_refused(depot: Depot, path: str) -> None:
    depot.store_small(WEIGHTS)
    with refused("INVALID_ARGUMENT", "TOO_LARGE" if len(path) > 1024 else "MALFORMED"):
        depot.commit(file_of(path, WEIGHTS))


def test_a_path_with_a_nul_byte_is_refused(depot: Depot) -> None:
    with refused("INVALID_ARGUMENT", "MALFORMED"):
        depot.commit(file_of("a\0b", WEIGHTS))


def test_a_manifest_without_files_is_refused(depot: Depot) -> None:
    with refused("INVALID_ARGUMENT", "REQUIRED"):
        depot.commit()


def test_changed_bytes_are_lost_data(depot: Depot, manifest: Manifest) -> None:
    key = depot.key(manifest.manifest_digest)
    data = asyncio.run(depot.bucket.get(key, 10_000))
    asyncio.run(depot.bucket.put(key, data.replace(b"config.json", b"konfig.json")))
    with refused("DATA_LOSS", "DIGEST_MISMATCH"):
        get(depot, manifest.name)
    assert get(depot, manifest.name, without_files=True).file_count == 2


def test_bytes_that_are_gone_are_lost_data(depot: Depot, manifest: Manifest) -> None:
    delete(depot, depot.key(manifest.manifest_digest))
    with refused("DATA_LOSS", "DIGEST_MISMATCH"):
        get(depot, manifest.name)


def delete(depot: Depot, key: str) -> None:
    """Take an object away behind the service's back."""
    asyncio.run(depot.bucket._send("DELETE", key, {}, {}))


def test_an_unknown_manifest_is_not_found(depot: Depot) -> None:
    with refused("NOT_FOUND", "NOT_FOUND"):
        get(depot, str(depot.name(digests.sha256(b"nothing"))))
    with refused("INVALID_ARGUMENT", "MALFORMED"):
        get(depot, "namespaces/default/artifacts/sha256-XYZ")


def test_a_blob_is_no_manifest(depot: Depot) -> None:
    blob = depot.store_small(WEIGHTS)
    with refused("NOT_FOUND", "NOT_FOUND"):
        get(depot, blob.name)


def test_manifests_are_listed_newest_first_in_pages(depot: Depot) -> None:
    depot.store_small(WEIGHTS)
    made = [depot.commit(file_of(f"file-{number}", WEIGHTS)).name for number in range(5)]
    listed, token = list[Manifest](), ""
    while True:
        request = api.ListManifestsRequest(parent=depot.namespace, page_size=2, page_token=token)
        page = depot.stub.ListManifests(request)
        assert len(page.manifests) <= 2
        listed += page.manifests
        token = page.next_page_token
        if not token:
            break
    assert [manifest.name for manifest in listed] == made[::-1]
    assert listed[0] == get(depot, made[-1], without_files=True)
    with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
        depot.stub.ListManifests(
            api.ListManifestsRequest(parent=depot.namespace, page_token="nonsense")
        )


def test_a_folder_goes_up_and_comes_down_the_same(depot: Depot, tmp_path: Path) -> None:
    source = tmp_path / "model"
    contents = {
        "model.onnx": bytes(range(256)) * 70_000,
        "tokenizer/vocab.txt": "wörter\n".encode(),
        "tokenizer/empty": b"",
        "copy.onnx": bytes(range(256)) * 70_000,
    }
    for path, data in contents.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    files = {path: source / path for path in contents}
    manifest = upload(depot.stub, depot.namespace, files)
    assert manifest.file_count == 4
    download(depot.stub, depot.namespace, manifest.manifest_digest, tmp_path / "back")
    for path, data in contents.items():
        assert (tmp_path / "back" / path).read_bytes() == data
    assert upload(depot.stub, depot.namespace, files) == manifest


def test_who_sends_what_another_has_just_sent_is_told_that_it_is_stored(
    depot: Depot, tmp_path: Path
) -> None:
    data = large(3)
    (tmp_path / "m").write_bytes(data)
    is_overtaken = False

    def overtake(advance: Progress) -> None:
        """Finish the upload that the other has just begun, before its first part goes out."""
        nonlocal is_overtaken
        if advance.step == "send" and not is_overtaken:
            is_overtaken = True
            depot.send_parts(claim_of(data), data, depot.begin(claim_of(data))[0].missing_parts)
            depot.complete(claim_of(data))

    manifest = upload(depot.stub, depot.namespace, {"m": tmp_path / "m"}, overtake)
    assert is_overtaken
    assert manifest.file_count == 1


def test_three_who_send_the_same_files_at_once_get_the_same_manifest(
    depot: Depot, tmp_path: Path
) -> None:
    (tmp_path / "m").write_bytes(large(4) + large(5))
    files = {"m": tmp_path / "m"}
    with ThreadPoolExecutor(3) as clients:
        made = list(clients.map(lambda _: upload(depot.stub, depot.namespace, files), range(3)))
    assert made[0] == made[1] == made[2]
