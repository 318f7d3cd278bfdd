"""An import that is killed at any point and run again writes exactly one copy."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from assay import bulk, bulk_files
from assay.bulk import Imported
from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from tests.faults.conftest import PATIENT, Stack

MANY, FEW = 4_000, 20
PATIENCE_SECONDS = 120


@pytest.fixture
def sync_client(stack: Stack) -> Iterator[Client]:
    """The local owner's client, which retries for a minute."""
    with Client.connect(stack.data, retries=PATIENT) as connected:
        yield connected


@pytest.fixture
def parent(sync_client: Client) -> str:
    """A namespace of its own."""
    request = api.CreateNamespaceRequest(namespace_id=f"n-{uuid4()}")
    return sync_client.metadata.CreateNamespace(request).namespace.name


def source(parent: str) -> list[api.ImportItem]:
    """Return one model of many versions, and many models of few."""
    items = model(f"{parent}/models/long", MANY)
    for number in range(FEW):
        items += model(f"{parent}/models/short-{number:02}", 3)
    return items


def model(name: str, versions: int) -> list[api.ImportItem]:
    return [
        api.ImportItem(model=Model(name=name)),
        *(
            api.ImportItem(
                model_version=ModelVersion(
                    name=f"{name}/versions/{number}",
                    number=number,
                    is_draft=True,
                    description=f"{name} {number}",
                )
            )
            for number in range(1, versions + 1)
        ),
    ]


def assert_is_there_once(client: Client, parent: str, items: list[api.ImportItem]) -> None:
    """Compare what is there with what was imported, and count the events."""
    found = list(bulk.export_items(client, parent))
    assert [bulk.model_of(item) for item in found] == [bulk.model_of(item) for item in items]
    described = [item.model_version.description for item in items]
    assert [item.model_version.description for item in found] == described
    revisions = [int((i.model.etag or i.model_version.etag).strip('"')) for i in found]
    assert len(set(revisions)) == len(items)


@pytest.mark.slow
@pytest.mark.parametrize("process", ["metadata", "nats"])
def test_a_process_killed_while_it_writes_batches_writes_each_once(
    stack: Stack, sync_client: Client, parent: str, process: str
) -> None:
    items, killed = source(parent), list[int]()

    def kill(imported: Imported) -> None:
        if imported.batches in {2, 5, 8}:  # the batches after it are on their way
            killed.append(imported.batches)
            stack.kill(process)

    done = bulk.import_items(
        sync_client, items, import_id=str(uuid4()), listen=kill, retries=PATIENT
    )
    assert killed == [2, 5, 8]
    assert done.items == len(items)
    assert_is_there_once(sync_client, parent, items)
    assert stack.check("metadata") == ""


@pytest.mark.slow
def test_a_service_killed_at_any_time_writes_each_batch_once(
    stack: Stack, sync_client: Client, parent: str
) -> None:
    items, is_over = source(parent), threading.Event()

    def kill() -> None:
        for delay in (0.05, 0.3, 0.55, 0.7):
            if is_over.wait(delay):
                return
            stack.kill("metadata")
            while stack.pid("metadata") == 0 and not is_over.wait(0.05):
                pass

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        bulk.import_items(sync_client, items, import_id=str(uuid4()), retries=PATIENT)
    finally:
        is_over.set()
        killer.join()
    assert_is_there_once(sync_client, parent, items)


def test_a_client_killed_at_any_time_goes_on_when_it_is_run_again(
    stack: Stack, sync_client: Client, parent: str, tmp_path: Path
) -> None:
    items, file = source(parent), tmp_path / "items.jsonl"
    bulk_files.write(file, items)
    line = [sys.executable, "-m", "assay.cli", "import", "file", str(file), "--json"]
    line += ["--data", str(stack.data)]
    for wanted in (1, 1_200, 2_600):
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        until = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and latest(sync_client, parent) < wanted:
            assert time.monotonic() < until
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run(line, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    assert_is_there_once(sync_client, parent, items)


def latest(client: Client, parent: str) -> int:
    """Return how many versions the long model has."""
    request = api.ListModelsRequest(parent=parent, filter='model_id = "long"')
    return sum(m.latest_number for m in client.metadata.ListModels(request).models)
