"""The S3 server keeps what it took, and is closed on all its other ports."""

import hashlib
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error

from assay_serve.embedded import objects, ports, processes


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[objects.Store]:
    folder: Path = tmp_path_factory.mktemp("s3")
    with objects.running(folder) as store:
        yield store


def test_the_artifact_service_writes_and_reads_its_bucket_and_no_more(
    store: objects.Store,
) -> None:
    client = _client(store)
    client.put_object(store.bucket, "blobs/a", io.BytesIO(b"bytes"), 5)
    assert _read(client, "blobs/a") == b"bytes"
    for attempt in (
        lambda: client.make_bucket("another"),
        lambda: client.remove_bucket(store.bucket),
        lambda: client.put_object("another", "a", io.BytesIO(b"x"), 1),
    ):
        with pytest.raises(S3Error, match=r"AccessDenied"):
            attempt()


def test_nobody_gets_in_without_keys(store: objects.Store) -> None:
    for path in ("", f"{store.bucket}", f"{store.bucket}/blobs/a"):
        assert _status(f"{store.url}/{path}") == 403
    stranger = Minio(
        store.url.removeprefix("http://"), "guess", "guess", secure=False, region=objects.REGION
    )
    with pytest.raises(S3Error, match=r"InvalidAccessKeyId"):
        stranger.list_buckets()


def test_no_inner_port_gives_or_takes_anything(store: objects.Store) -> None:
    client = _client(store)
    client.put_object(store.bucket, "kept", io.BytesIO(b"bytes"), 5)
    for name, port in _inner_ports(store).items():
        if name.endswith("grpc"):
            continue
        for path in (
            "/dir/assign", f"/col/delete?collection={store.bucket}", "/vol/grow?count=1",
            f"/buckets/{store.bucket}/kept", "/buckets/?pretty=y", "/1,01637037d6", "/submit",
        ):  # fmt: skip
            assert _status(f"http://{ports.HOST}:{port}{path}") >= 400, (name, path)
    assert _read(client, "kept") == b"bytes"


def test_every_port_listens_on_loopback_only(store: objects.Store) -> None:
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    own = {f"{port:04X}" for port in _inner_ports(store).values()}
    addresses = {
        fields[1].partition(":")[0]
        for fields in map(str.split, listening)
        if fields[1].partition(":")[2] in own and fields[3] == "0A"
    }
    assert addresses == {"0100007F"}


def test_every_acknowledged_object_survives_a_kill(store: objects.Store) -> None:
    client, kept = _client(store), {}
    for round_ in range(3):
        for number in range(20):
            body, name = os.urandom(1000), f"round/{round_}/{number}"
            client.put_object(store.bucket, name, io.BytesIO(body), len(body))
            kept[name] = hashlib.sha256(body).hexdigest()
        body = os.urandom(11 * 1024 * 1024)
        client.put_object(
            store.bucket, f"big/{round_}", io.BytesIO(body), len(body), part_size=5 * 1024 * 1024
        )
        kept[f"big/{round_}"] = hashlib.sha256(body).hexdigest()
        store.server.kill()
        store.server.start()
        assert processes.wait_until(lambda: _can_read(client, "big/0"), 20)
        found = {name: hashlib.sha256(_read(client, name)).hexdigest() for name in kept}
        assert found == kept


def _client(store: objects.Store) -> Minio:
    return Minio(
        store.url.removeprefix("http://"), store.access_key, store.secret_key,
        secure=False, region=objects.REGION,
    )  # fmt: skip


def _read(client: Minio, name: str) -> bytes:
    answer = client.get_object(objects.BUCKET, name)
    try:
        return bytes(answer.read())
    finally:
        answer.close()
        answer.release_conn()


def _can_read(client: Minio, name: str) -> bool:
    try:
        return bool(_read(client, name))
    except (S3Error, OSError):
        return False


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _inner_ports(store: objects.Store) -> dict[str, int]:
    flags = dict(
        flag.removeprefix("-").split("=", 1)
        for flag in store.server.program.argv
        if flag.startswith("-") and "port" in flag
    )
    found = {name: int(port) for name, port in flags.items() if int(port)}
    assert len(found) == 8, json.dumps(found)
    del found["s3.port"]
    return found
