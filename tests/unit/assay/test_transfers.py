"""Uploads and downloads, against a small real store."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay import hashing
from assay.artifact.v1 import resources_pb2 as artifact
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.downloads import download
from assay.errors import AlreadyExists, DataLoss, FailedPrecondition, Invalid, Unavailable
from assay.manifests import Entry, digest, walk
from assay.progress import Progress
from assay.uploads import upload
from tests.unit.assay.stores import Artifacts, Objects, artifact_service, object_store

NAMESPACE = "namespaces/default"


@pytest.fixture
def objects() -> Iterator[Objects]:
    with object_store() as store:
        yield store


@pytest.fixture
def service(objects: Objects) -> Iterator[tuple[Artifacts, ArtifactServiceStub]]:
    with artifact_service(objects) as pair:
        yield pair


@pytest.fixture
def stub(service: tuple[Artifacts, ArtifactServiceStub]) -> ArtifactServiceStub:
    return service[1]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "model.onnx").write_bytes(os.urandom(50_000))
    (folder / "config.json").write_text("{}")
    (folder / "copy.json").write_text("{}")
    (folder / "empty").touch()
    return folder


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "MIN_PART_BYTES", 1024)
    monkeypatch.setattr(hashing, "_READ_BYTES", 300)


def contents(folder: Path) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in walk(folder).items()}


def test_what_is_pulled_is_what_was_uploaded(
    stub: ArtifactServiceStub, model: Path, tmp_path: Path
) -> None:
    manifest = upload(stub, NAMESPACE, walk(model))
    download(stub, NAMESPACE, manifest.manifest_digest, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(model)
    assert not list((tmp_path / "out").rglob(".assay-*"))


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_travels_in_parts_signed_64_at_a_time(
    service: tuple[Artifacts, ArtifactServiceStub], objects: Objects, tmp_path: Path
) -> None:
    artifacts, stub = service
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(100 * 1024 + 7))
    upload(stub, NAMESPACE, walk(big))
    (stored,) = objects.stored.values()
    assert stored == big.read_bytes()
    assert objects.requests["PUT"] == 101
    assert max(artifacts.sign_calls) == 64


def test_equal_files_are_sent_once_and_stored_ones_not_again(
    service: tuple[Artifacts, ArtifactServiceStub], objects: Objects, model: Path
) -> None:
    artifacts, stub = service
    first = upload(stub, NAMESPACE, walk(model))
    assert objects.requests["PUT"] == 3
    assert len(artifacts.completed) == 3
    assert upload(stub, NAMESPACE, walk(model)) == first
    assert objects.requests["PUT"] == 3


def test_the_manifest_digest_depends_on_the_files_alone(
    stub: ArtifactServiceStub, model: Path
) -> None:
    manifest = upload(stub, NAMESPACE, walk(model))
    entries = [
        Entry(path, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        for path, data in contents(model).items()
    ]
    assert manifest.manifest_digest == digest(reversed(entries))


def test_progress_reaches_the_end_of_each_step(
    stub: ArtifactServiceStub, model: Path, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    manifest = upload(stub, NAMESPACE, walk(model), seen.append)
    download(stub, NAMESPACE, manifest.manifest_digest, tmp_path / "out", listen=seen.append)
    for step in ("hash", "send", "receive"):
        steps = [progress for progress in seen if progress.step == step]
        assert max(p.done_bytes for p in steps) == steps[0].total_bytes


@pytest.mark.parametrize("status", [500, 503, 408])
def test_a_store_that_stumbles_is_asked_again(
    stub: ArtifactServiceStub, objects: Objects, model: Path, status: int
) -> None:
    objects.answers = [status, status]
    upload(stub, NAMESPACE, walk(model / "config.json"))
    assert objects.requests["PUT"] == 3


def test_an_expired_signature_is_renewed(
    stub: ArtifactServiceStub, objects: Objects, model: Path
) -> None:
    objects.answers = [403]
    upload(stub, NAMESPACE, walk(model / "config.json"))
    assert objects.requests["PUT"] == 2
    assert objects.signatures == 2


def test_a_store_that_stays_away_is_unavailable(
    stub: ArtifactServiceStub, objects: Objects, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.store.time.sleep", lambda _: None)
    objects.answers = [503] * 50
    with pytest.raises(Unavailable) as refusal:
        upload(stub, NAMESPACE, walk(model / "config.json"))
    assert refusal.value.reason == "STORE_UNAVAILABLE"


def test_a_file_that_changes_while_it_is_sent_is_refused(
    stub: ArtifactServiceStub, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "assay.uploads._read", lambda piece: bytes(piece.end - piece.start - 1) + b"x"
    )
    with pytest.raises(FailedPrecondition, match="changed meanwhile") as refusal:
        upload(stub, NAMESPACE, walk(model / "weights"))
    assert refusal.value.reason == "FILE_CHANGED"


def test_a_file_cut_short_while_it_is_sent_is_refused(
    stub: ArtifactServiceStub, model: Path
) -> None:
    weights = model / "weights" / "model.onnx"

    def cut(progress: Progress) -> None:
        if progress.step == "hash" and progress.done_bytes == progress.total_bytes:
            weights.write_bytes(b"short")

    with pytest.raises(FailedPrecondition, match="changed meanwhile"):
        upload(stub, NAMESPACE, walk(weights), cut)


def test_a_broken_download_goes_on_where_it_stopped(
    stub: ArtifactServiceStub, objects: Objects, model: Path, tmp_path: Path
) -> None:
    manifest = upload(stub, NAMESPACE, walk(model / "weights"))
    objects.cut_after = 20_000
    download(stub, NAMESPACE, manifest.manifest_digest, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(model / "weights")
    assert objects.requests["GET"] == 3


def test_wrong_bytes_never_reach_the_folder(
    stub: ArtifactServiceStub, objects: Objects, model: Path, tmp_path: Path
) -> None:
    manifest = upload(stub, NAMESPACE, walk(model / "config.json"))
    (path,) = objects.stored
    for wrong in (b"[]", b"{", b"{} and more"):
        objects.stored[path] = wrong
        with pytest.raises(DataLoss) as refusal:
            download(stub, NAMESPACE, manifest.manifest_digest, tmp_path / "out")
        assert refusal.value.reason == "DIGEST_MISMATCH"
        assert list((tmp_path / "out").iterdir()) == []


def test_a_file_with_other_bytes_is_in_the_way_unless_forced(
    stub: ArtifactServiceStub, objects: Objects, model: Path, tmp_path: Path
) -> None:
    manifest = upload(stub, NAMESPACE, walk(model))
    out = tmp_path / "out"
    download(stub, NAMESPACE, manifest.manifest_digest, out)
    fetched = objects.requests["GET"]
    (out / "config.json").write_text("[]")
    with pytest.raises(AlreadyExists) as refusal:
        download(stub, NAMESPACE, manifest.manifest_digest, out)
    assert refusal.value.reason == "FILE_EXISTS"
    assert objects.requests["GET"] == fetched
    download(stub, NAMESPACE, manifest.manifest_digest, out, force=True)
    assert contents(out) == contents(model)
    assert objects.requests["GET"] == fetched + 1


@pytest.mark.parametrize("path", ["../out-of-it", "/etc/passwd", "a/../../b", "a//b", "a\\b"])
def test_a_manifest_that_leads_out_of_the_folder_is_refused(
    service: tuple[Artifacts, ArtifactServiceStub], tmp_path: Path, path: str
) -> None:
    artifacts, stub = service
    forged = artifact.Manifest(files=[artifact.File(path=path, digest="sha256:" + "0" * 64)])
    artifacts.manifests["sha256:" + "1" * 64] = forged
    with pytest.raises(Invalid):
        download(stub, NAMESPACE, "sha256:" + "1" * 64, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_manifest_with_other_files_than_its_digest_says_is_refused(
    service: tuple[Artifacts, ArtifactServiceStub], model: Path, tmp_path: Path
) -> None:
    artifacts, stub = service
    manifest = upload(stub, NAMESPACE, walk(model))
    artifacts.manifests["sha256:" + "1" * 64] = manifest
    with pytest.raises(DataLoss):
        download(stub, NAMESPACE, "sha256:" + "1" * 64, tmp_path / "out")


def test_a_link_in_the_folder_cannot_lead_a_download_out(
    stub: ArtifactServiceStub, model: Path, tmp_path: Path
) -> None:
    manifest = upload(stub, NAMESPACE, walk(model))
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (out / "weights").symlink_to(outside)
    with pytest.raises(Invalid, match="through a link"):
        download(stub, NAMESPACE, manifest.manifest_digest, out, force=True)
    assert list(outside.iterdir()) == []
