"""Makes the stream and its first event, or checks both.

`python -m assay_events.setup`, as the set-up account.

Reads ASSAY_NATS_URL, ASSAY_NATS_USER, ASSAY_NATS_PASSWORD, ASSAY_DEPLOYMENT and ASSAY_OWNER.
"""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

from assay.audit.v1.events_pb2 import LogFounded
from assay.event.v1.envelope_pb2 import Envelope
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events import codec, ids, stream
from assay_events.connection import Address, Connection
from assay_events.decider import subject
from assay_events.envelope import NewMessage
from assay_events.errors import LostRace, StreamCorrupt, Unavailable
from assay_events.jetstream import STREAM, JetStream

LOG = "log"


async def set_up(connection: Connection, deployment: str, owner: str) -> None:
    """Make the stream where it is not there, found the log as its sequence 1.

    And check everything.
    """
    answer = await connection.api(f"STREAM.INFO.{STREAM}")
    if answer.get("error", {}).get("err_code") == stream.NO_SUCH_STREAM:
        made = await connection.api(f"STREAM.CREATE.{STREAM}", stream.SETTINGS, seconds=10.0)
        if "error" in made:
            raise StreamCorrupt(f"The stream cannot be made: {made['error'].get('description')}.")
    await stream.check(connection)
    await _found(JetStream(connection), deployment, owner)


async def _found(store: JetStream, deployment: str, owner: str) -> None:
    """Write LogFounded as the very first event; refuse a stream that was founded otherwise."""
    nats_subject = subject("audit", "log", LOG)
    if await store.last_revision() == 0:
        with suppress(LostRace):  # another set-up was faster; what it wrote is checked below
            await store.append(nats_subject, [_founding(nats_subject, deployment, owner)], 0)
    stored = await store.last(nats_subject)
    first = codec.decode(stored) if stored is not None else None
    if first is None or first.revision != 1 or first.envelope.deployment != deployment:
        raise StreamCorrupt("The stream was not founded by this deployment.", 1)


def _founding(nats_subject: str, deployment: str, owner: str) -> NewMessage:
    now = datetime.now(UTC)
    request_id = str(uuid4())
    envelope = Envelope(
        id=ids.event_id(nats_subject, request_id, 0),
        source="services/audit",
        subject=LOG,
        actor=Actor(principal="services/setup", kind=ActorKind.ACTOR_KIND_SERVICE),
        request_id=request_id,
        aggregate=nats_subject,
        deployment=deployment,
    )
    envelope.time.FromDatetime(now)
    event = LogFounded(deployment=deployment, owner=owner)
    event.time.FromDatetime(now)
    return codec.encode(envelope, event)


async def _main() -> None:
    address = Address(
        os.environ["ASSAY_NATS_URL"],
        os.environ["ASSAY_NATS_USER"],
        os.environ["ASSAY_NATS_PASSWORD"],
        prefix="$JS.API.",
    )
    connection = await Connection.open(address)
    try:
        await set_up(connection, os.environ["ASSAY_DEPLOYMENT"], os.environ["ASSAY_OWNER"])
    finally:
        await connection.close()


def main() -> int:
    """Set up the stream; return the exit code."""
    try:
        asyncio.run(_main())
    except KeyError as missing:
        sys.stderr.write(f"The variable {missing.args[0]} is not set.\n")
        return 2
    except (StreamCorrupt, Unavailable) as failure:
        sys.stderr.write(f"{failure.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
