"""NATS, Postgres and the S3 server together, for tests that want all three."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded import nats, objects, postgres


@dataclass(frozen=True, slots=True)
class Backends:
    """The three servers below the services."""

    bus: nats.Bus
    database: postgres.Database
    store: objects.Store


@contextmanager
def running(folder: Path) -> Iterator[Backends]:
    """Run all three with their data in `folder` for the length of the block."""
    with (
        nats.running(folder / "nats") as bus,
        postgres.running(folder / "postgres") as database,
        objects.running(folder / "s3") as store,
    ):
        yield Backends(bus, database, store)
