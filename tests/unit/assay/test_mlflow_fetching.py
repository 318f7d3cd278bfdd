"""Files on their way: bounded by the disk, named by nobody else, gone afterwards."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.errors import FailedPrecondition
from assay.mlflow.entities import SourceVersion
from assay.mlflow.faults import SourceFailed, Unusable
from assay.mlflow.fetching import Fetcher
from assay.mlflow.places import PROXY
from assay.mlflow.reading import Reader
from assay.mlflow.report import Report
from assay.mlflow.source import Login, Source
from tests.support.http_between import Ask, Reply, answering

VERSION = SourceVersion("churn", 1)


@contextmanager
def fetching(size: int, file: Reply, asked: list[str]) -> Iterator[Fetcher]:
    """Give what fetches one file, `model.bin`, that is listed with this size and answered so."""

    def answer(ask: Ask) -> Reply:
        asked.append(ask.path)
        if ask.path.endswith("get-download-uri"):
            return Reply(body=b'{"artifact_uri": "mlflow-artifacts:/0"}')
        if ask.path == PROXY:
            entry = {"path": "model.bin", "file_size": size}
            return Reply(body=json.dumps({"files": [entry]}).encode())
        return file

    with answering(answer) as url, grpc.insecure_channel("127.0.0.1:1") as channel:
        reader = Reader(Source(url, Login(), first_delay_seconds=0.001))
        yield Fetcher(reader, ArtifactServiceStub(channel), "namespaces/default")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder for temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_files_are_hashed_and_gone(temporary: Path) -> None:
    with fetching(3, Reply(body=b"abc"), []) as fetcher:
        (entry,) = fetcher.digests(VERSION)
    assert (entry.path, entry.size_bytes) == ("model.bin", 3)
    assert entry.digest == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("size", [2**62, 2**50])
def test_more_than_the_disk_holds_is_not_asked_for(temporary: Path, size: int) -> None:
    asked = list[str]()
    with (
        fetching(size, Reply(), asked) as fetcher,
        pytest.raises(FailedPrecondition, match="Set TMPDIR to a folder with") as refusal,
    ):
        fetcher.store(VERSION)
    assert refusal.value.reason == "NO_SPACE"
    assert not [path for path in asked if path.endswith("model.bin")]
    assert not list(temporary.iterdir())


def test_a_file_that_went_meanwhile_is_told(temporary: Path) -> None:
    gone = Reply(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
    with fetching(3, gone, []) as fetcher, pytest.raises(Unusable, match=r"lists model\.bin and"):
        fetcher.store(VERSION)
    assert not list(temporary.iterdir())


def test_a_file_that_cannot_be_read_names_the_version_and_the_way_round(temporary: Path) -> None:
    with (
        fetching(3, Reply(500), []) as fetcher,
        pytest.raises(SourceFailed, match=r"files of churn/1 .*--allow-missing-files"),
    ):
        fetcher.store(VERSION)
    assert not list(temporary.iterdir())


def test_a_report_keeps_the_words_of_a_thousand_differences_and_counts_the_others() -> None:
    report = Report()
    for number in range(1200):
        report.differs(f"difference {number}")
    told = report.to_dict()
    assert (len(report.differences), told["unlisted_differences"]) == (1000, 200)
    assert told["is_clean"] is False
