"""Storing and pulling a large file through Assay, against an S3 client on the same store."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from minio import Minio

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from tests.bench import stack
from tests.bench.harness import Bench, Measure, Ratio
from tests.bench.stack import Stack

_MEBIBYTE = 1024 * 1024
_SIZE, _QUICK_SIZE = 256 * _MEBIBYTE, 32 * _MEBIBYTE


async def run(bench: Bench) -> list[Ratio]:
    """Let Assay's SDK and minio's fput and fget take turns; each file is a new one."""
    size = _QUICK_SIZE if bench.is_quick else _SIZE
    with stack.running(bench.scratch("stack")) as running:
        files = bench.scratch("files")
        with Client.connect(running.data) as client:
            found = await bench.interleave(_sides(files, size, client, _minio(running)))
    return [
        Ratio(
            f"{verb} of {size // _MEBIBYTE} MiB",
            found[f"{verb}, Assay"],
            "MiB/s",
            found[f"{verb}, minio"],
            f"MiB/s, minio's {call}",
        )
        for verb, call in (("upload", "fput_object"), ("download", "fget_object"))
    ]


def _sides(files: Path, size: int, client: Client, peer: Minio) -> dict[str, Measure]:
    path, target = files / "model.bin", files / "pulled"

    def upload() -> None:
        client.register("bench", path)

    def download() -> None:
        version = client.metadata.GetModel(_model()).model.latest_number
        client.pull(f"bench/{version}", target, force=True)

    def put() -> None:
        peer.fput_object("assay", "bench", str(path))

    def get() -> None:
        peer.fget_object("assay", "bench", str(files / "got.bin"))

    return {
        "upload, Assay": _speed(upload, size, lambda: _write(path, size)),
        "upload, minio": _speed(put, size, lambda: _write(path, size)),
        "download, Assay": _speed(download, size, lambda: None),
        "download, minio": _speed(get, size, lambda: None),
    }


def _speed(transfer: Callable[[], None], size: int, prepare: Callable[[], object]) -> Measure:
    """Return what tells the MiB a second of a transfer."""

    async def measure() -> float:
        await asyncio.to_thread(prepare)
        begun = time.perf_counter()
        await asyncio.to_thread(transfer)
        return size / _MEBIBYTE / (time.perf_counter() - begun)

    return measure


def _write(path: Path, size: int) -> None:
    """Write bytes that no store has seen."""
    with path.open("wb") as file:
        for _ in range(size // _MEBIBYTE):
            file.write(os.urandom(_MEBIBYTE))


def _model() -> api.GetModelRequest:
    return api.GetModelRequest(name="namespaces/default/models/bench")


def _minio(running: Stack) -> Minio:
    keys = running.secrets.s3
    return Minio(
        running.endpoints["s3"],
        keys["access_key"],
        keys["secret_key"],
        secure=False,
        region="us-east-1",
    )
