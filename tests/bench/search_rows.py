"""A large read model: events of models and versions, through the real projection, copied.

Versions are registered round after round, each round one of every model, so that what belongs
together does not lie together. All that is drawn comes from one seed.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
from google.protobuf.message import Message

from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    ModelCreated,
    ModelVersionRegistered,
    NamespaceCreated,
    StageSet,
)
from assay.metadata.v1.resources_pb2 import Format, ModelCard
from assay.type.v1.actor_pb2 import Actor
from assay.type.v1.metric_pb2 import Metric
from assay_events import schemas
from assay_events.envelope import Recorded, Stored
from assay_events.projection import OPEN, Add, Put, Write
from assay_events.tables import Table, load_tables
from assay_metadata.projection.rows import METADATA

SPACE, DEEP_SPACE = "namespaces/wide", "namespaces/deep"
DEEP_MODEL = f"{DEEP_SPACE}/models/deep"
WORDS, RARE_WORDS = 100, 5_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_CHUNK = 20_000
_ACTOR = Actor(principal="principals/22222222-2222-4222-8222-222222222222")
_CARD = ModelCard(
    schema="assay.card.v1", purpose="Credit limits of retail customers.", licence="Apache-2.0"
)
_SIZES = "SELECT pg_total_relation_size(c.oid) FROM pg_class c WHERE c.oid = $1::regclass"


@dataclass(frozen=True, slots=True)
class Size:
    """How many models, versions of all of them together, and versions of one model beside them."""

    models: int
    versions: int
    deep_versions: int = 0


@dataclass(slots=True)
class _Loader:
    """Turns the writes of new rows into tuples; nothing here ever changes a row."""

    tables: Mapping[str, Table]
    revision: int = 0
    registered: dict[str, int] = field(default_factory=dict)
    rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)

    def take(self, event: Message) -> None:
        """Project one event."""
        self.revision += 1
        if isinstance(event, ModelVersionRegistered):
            self.registered[event.name] = self.revision
        for write in METADATA.apply(_recorded(event, self.revision)):
            self.rows.setdefault(write.table, []).append(self._values(write))

    def _values(self, write: Write) -> tuple[object, ...]:
        assert isinstance(write, Add | Put)
        row = {**write.row, "from_revision": self.revision, "to_revision": OPEN}
        if isinstance(write, Put) and write.carry:
            key = write.carry.key
            row["registered"] = self.registered[f"{key['model']}/versions/{key['number']}"]
        return self.tables[write.table].values(row)


async def load(dsn: str, size: Size, say: Callable[[str], None]) -> int:
    """Make the read model; return its last revision."""
    db = await schemas.connect(dsn, METADATA.name)
    try:
        await schemas.create(db, METADATA, METADATA.name)
        await db.execute("SET synchronous_commit = off")
        loader = _Loader(await load_tables(db, METADATA.name))
        for number, event in enumerate(_events(size), 1):
            loader.take(event)
            if number % _CHUNK == 0:
                await _copy(db, loader)
        await _copy(db, loader)
        await db.execute("UPDATE position SET revision = $1", loader.revision)
        await _index(db, say)
    finally:
        await db.close(timeout=30)
    return loader.revision


async def _index(db: asyncpg.Connection, say: Callable[[str], None]) -> None:
    """Make each index, and say how long it takes and how large it is."""
    lines = [line for line in METADATA.indexes_sql.splitlines() if not line.startswith("--")]
    for statement in "\n".join(lines).split(";")[:-1]:
        begun = time.monotonic()
        await db.execute(statement)
        seconds = time.monotonic() - begun
        name = statement.split()[2]
        size = await db.fetchval(_SIZES, name) / 2**20
        if seconds >= 1:
            say(f"    {name}: {seconds:.1f} s, {size:,.0f} MiB")
    await db.execute("VACUUM (ANALYZE)")  # as autovacuum does soon after


async def _copy(db: asyncpg.Connection, loader: _Loader) -> None:
    for table, rows in loader.rows.items():
        columns = loader.tables[table].columns
        await db.copy_records_to_table(table, records=rows, columns=columns)
    loader.rows.clear()


def _recorded(event: Message, revision: int) -> Recorded:
    name: str = getattr(event, "name")  # noqa: B009 - every event has one
    at = _BEGIN + timedelta(seconds=revision)
    envelope = Envelope(subject=name, actor=_ACTOR, type=event.DESCRIPTOR.full_name)
    envelope.time.FromDatetime(at)
    return Recorded(envelope, event, Stored("", "", b"", revision, at))


def _events(size: Size) -> Iterator[Message]:
    draw = random.Random(size.versions)
    models = [f"{SPACE}/models/model-{number:06}" for number in range(size.models)]
    yield NamespaceCreated(name=SPACE)
    for model in models:
        yield ModelCreated(name=model, description="Risk of retail customers.")
    for number in range(1, size.versions // size.models + 1):
        for model in models:
            yield _version(model, number, draw)
    for model in models if size.versions else []:
        yield AliasSet(name=f"{model}/aliases/champion", version=f"{model}/versions/1")
        if draw.random() < 0.1:
            yield StageSet(name=f"{model}/stages/production", version=f"{model}/versions/1")
    if size.deep_versions:
        yield NamespaceCreated(name=DEEP_SPACE)
        yield ModelCreated(name=DEEP_MODEL)
        for number in range(1, size.deep_versions + 1):
            yield _version(DEEP_MODEL, number, draw)


def _version(model: str, number: int, draw: random.Random) -> ModelVersionRegistered:
    """Return a version of which 1 in 100 has the same `cohort`, 1 in 10 the same `team`."""
    unique = draw.getrandbits(256)
    return ModelVersionRegistered(
        name=f"{model}/versions/{number}",
        number=number,
        manifest_digest=f"sha256:{unique:064x}",
        description=f"Trained on portfolio word{draw.randrange(WORDS)}"
        f" rare{draw.randrange(RARE_WORDS)}.",
        metrics=[
            Metric(key="auc", value=draw.random()),
            Metric(key="loss", value=draw.random()),
        ],
        params={"depth": str(draw.randrange(16)), "seed": f"{unique % 2**32}"},
        tags={
            "cohort": str(draw.randrange(100)),
            "team": str(draw.randrange(10)),
            "commit": f"{unique % 2**64:016x}",
        },
        format=Format(name=draw.choice(["sklearn", "onnx", "torch"])),
        card=_CARD if unique % 2 else None,
        size_bytes=1_234_567,
        file_count=3,
    )
