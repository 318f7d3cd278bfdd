"""Parts that are away: an answer in time, and nothing lost."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1.resources_pb2 import BlobState
from assay.errors import Unavailable
from tests.integration.artifact.depot import Depot, claim_of, file_of, large, put, refused

SMALL, LARGE = b"small", claim_of(large(2))


@contextmanager
def killed(depot: Depot) -> Iterator[None]:
    """The store is gone."""
    depot.store.server.kill()
    try:
        yield
    finally:
        depot.store.server.start()


@contextmanager
def frozen(depot: Depot) -> Iterator[None]:
    """The store takes connections and never answers."""
    os.kill(depot.store.server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(depot.store.server.pid, signal.SIGCONT)


def unavailable(call: Callable[[], object]) -> None:
    """Expect that `call` says in time that it may succeed later."""
    started = time.monotonic()
    with refused("UNAVAILABLE", "UNAVAILABLE") as caught:
        call()
    assert caught.value.retry_seconds > 0
    assert time.monotonic() - started < 60  # not for ever


@pytest.mark.parametrize("away", [killed, frozen])
def test_a_store_that_is_away_is_said_to_be_away(
    depot: Depot, away: Callable[[Depot], AbstractContextManager[None]]
) -> None:
    depot.store_small(SMALL)
    manifest = depot.commit(file_of("a", SMALL))
    (plan,) = depot.begin(claim_of(b"other"))
    put(plan.put, b"other")
    with away(depot):
        calls: list[Callable[[], object]] = [
            lambda: depot.begin(LARGE),
            lambda: depot.complete(claim_of(b"other")),
            lambda: depot.commit(file_of("b", SMALL)),
            lambda: depot.stub.GetManifest(api.GetManifestRequest(name=manifest.name)),
        ]
        with ThreadPoolExecutor(len(calls)) as clients:
            list(clients.map(unavailable, calls))
        assert depot.begin(claim_of(SMALL))[0].state == BlobState.BLOB_STATE_STORED
        short = api.GetManifestRequest(name=manifest.name, without_files=True)
        assert depot.stub.GetManifest(short).manifest.file_count == 1
    assert depot.complete(claim_of(b"other"))
    assert depot.commit(file_of("b", SMALL)).name
    assert list(depot.begin(LARGE)[0].missing_parts) == [1, 2, 3]


def test_commands_go_on_while_postgres_is_away(depot: Depot) -> None:
    depot.database.server.kill()
    try:
        depot.store_small(SMALL)
        manifest = depot.commit(file_of("a", SMALL))
        listed = api.ListManifestsRequest(parent=depot.namespace)
        with refused("UNAVAILABLE", "PROJECTION_BEHIND"):  # the commit is not in the tables yet
            depot.stub.ListManifests(listed, timeout=3)
    finally:
        depot.database.server.start()
    fresh = depot.stub.GetManifest(api.GetManifestRequest(name=manifest.name))
    listed.at_least_as_fresh = fresh.consistency_token
    assert eventually(lambda: names(depot, listed)) == [manifest.name]


def names(depot: Depot, listed: api.ListManifestsRequest) -> list[str]:
    return [manifest.name for manifest in depot.stub.ListManifests(listed).manifests]


def eventually(ask: Callable[[], list[str]], seconds: float = 15) -> list[str]:
    """Return the first answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(Unavailable):
            return ask()
        time.sleep(0.1)
    return ask()


@pytest.mark.requirement("A1")
def test_the_read_model_equals_its_rebuild(depot: Depot) -> None:
    depot.store_small(SMALL)
    manifest = depot.commit(file_of("a", SMALL))
    checked = depot.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    rebuilt = depot.run("rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    listed = api.ListManifestsRequest(parent=depot.namespace)
    assert names(depot, listed) == [manifest.name]
