"""The namespace `default`, which every deployment has."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256

from assay.names import NamespaceName
from assay_events.commands import Commands, Intent
from assay_events.decider import Aborted, AlreadyExists
from assay_events.errors import ProjectionBehind, Unavailable
from assay_events.ids import derived_id
from assay_events.position import Position
from assay_metadata.domain.namespace import NAMESPACE, CreateNamespace
from assay_serve.call import service_actor

DEFAULT = NamespaceName("default")
_RETRY_SECONDS = 0.5
_READ_SECONDS = 30.0


async def ensure(commands: Commands) -> int:
    """Create the namespace `default` where it does not exist yet; return its revision."""
    intent = Intent(
        actor=service_actor("services/metadata"),
        request_id=derived_id("namespaces", str(DEFAULT)),
        request_digest=sha256(str(DEFAULT).encode()).digest(),
        time=datetime.now(UTC),
    )
    command = CreateNamespace(str(DEFAULT), "What has no namespace of its own.")
    try:
        return (await commands.handle(NAMESPACE, str(DEFAULT), command, intent)).revision
    except AlreadyExists:
        return (await commands.fold(NAMESPACE, str(DEFAULT))).revision


async def ensure_soon(commands: Commands, position: Position) -> None:
    """Create the namespace `default` as soon as the event store answers, and see it read."""
    while True:
        try:
            return await position.wait_for(await ensure(commands), _READ_SECONDS)
        except (Unavailable, Aborted, ProjectionBehind):
            await asyncio.sleep(_RETRY_SECONDS)
