"""The operator's verbs on a read model: make it, build it anew, compare it with a fresh one."""

import enum
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import structlog

from assay_events import stream
from assay_events.connection import Address, Connection
from assay_events.jetstream import JetStream
from assay_events.projection import Projection
from assay_events.rebuild import Rebuilder
from assay_serve.settings import Settings

_PROGRESS_SECONDS = 1.0


class Answer(enum.Enum):
    """How an operator's verb answers on stdout."""

    TEXT = enum.auto()
    JSON = enum.auto()


log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def prepare(projection: Projection, settings: Settings, _: Answer) -> int:
    """Make the read model where it is missing, rebuild it where its schema is another; return 0."""
    async with _rebuilder(projection, settings) as rebuilder:
        if await rebuilder.prepare():
            log.info("prepare.schema_changed", projection=projection.name)
            await rebuilder.rebuild(_Progress("rebuild"))
    log.info("prepare.done", projection=projection.name)
    return 0


async def rebuild(projection: Projection, settings: Settings, answer_as: Answer) -> int:
    """Build the read model anew beside the one that serves, and swap them; return 0."""
    started = time.monotonic()
    async with _rebuilder(projection, settings) as rebuilder:
        revision = await rebuilder.rebuild(_Progress("rebuild"))
    seconds = time.monotonic() - started
    answer = {"service": projection.name, "revision": revision, "seconds": round(seconds, 3)}
    text = f"Rebuilt {projection.name} up to revision {revision} in {seconds:.1f} s."
    _tell(answer, text, answer_as)
    return 0


async def check(projection: Projection, settings: Settings, answer_as: Answer) -> int:
    """Compare the read model with a fresh rebuild, row by row; return 1 where they differ."""
    async with _rebuilder(projection, settings) as rebuilder:
        differences = await rebuilder.check(_Progress("check"))
    found = [str(difference) for difference in differences]
    answer = {"service": projection.name, "is_equal": not found, "differences": found}
    equal = f"The read model {projection.name} equals its rebuild."
    _tell(answer, "\n".join(found) or equal, answer_as)
    return 1 if found else 0


def _tell(answer: Mapping[str, object], text: str, answer_as: Answer) -> None:
    line = json.dumps(answer) if answer_as is Answer.JSON else text
    sys.stdout.write(f"{line}\n")


@asynccontextmanager
async def _rebuilder(projection: Projection, settings: Settings) -> AsyncIterator[Rebuilder]:
    address = Address(settings.nats_url, settings.nats_user, settings.nats_password)
    connection = await Connection.open(address)
    try:
        await stream.check(connection)
        yield Rebuilder(
            store=JetStream(connection),
            dsn=settings.postgres_owner_url,
            projection=projection,
            deployment=settings.deployment,
            grant_to=_runtime_role(settings),
        )
    finally:
        await connection.close()


def _runtime_role(settings: Settings) -> str:
    """Return the role that serves where it does not own the tables, else the empty text."""
    if settings.postgres_url == settings.postgres_owner_url:
        return ""
    return unquote(urlsplit(settings.postgres_url).username or "")


class _Progress:
    """Tells on stderr how far a rebuild has come, once a second."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._told = time.monotonic()

    def __call__(self, revision: int, end: int) -> None:
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            log.info("upkeep.progress", verb=self._verb, revision=revision, end=end)
