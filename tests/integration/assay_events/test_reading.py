"""What the readers make of headers that a service might write, and of much at once."""

import asyncio

from assay_events.connection import Connection
from assay_events.jetstream import JetStream
from assay_serve.embedded import nats
from tests.integration.assay_events.conftest import connect

SUBJECT = "assay.v1.metadata.model.00000000000000000000000000000001"
_POISON = ({"Status": "409"}, {"Status": "404"}, {"Status": "204"}, {"Nats-Sequence": "1"})


async def write(connection: Connection, headers: dict[str, str]) -> None:
    """Write a message with any headers, as the metadata service could."""
    await connection.request(SUBJECT, b"x", headers)


async def test_no_event_is_lost_whatever_headers_it_was_written_with(bus: nats.Bus) -> None:
    connection = await connect(bus, "metadata")
    store = JetStream(connection)
    for headers in _POISON:
        await write(connection, headers)
    whole = [stored.revision async for batch in store.read(0, follow=False) for stored in batch]
    assert whole == [1, 2, 3, 4, 5]
    assert [stored.revision for stored in await store.read_subject(SUBJECT)] == [2, 3, 4, 5]
    last = await store.last(SUBJECT)
    assert last is not None
    assert last.revision == 5
    await connection.close()


async def test_many_subjects_are_read_at_once_over_one_connection(bus: nats.Bus) -> None:
    connection = await connect(bus, "metadata")
    store = JetStream(connection)
    subjects = [f"assay.v1.metadata.model.{number:032}" for number in range(40)]
    for number, subject in enumerate(subjects):
        for _ in range(number % 7):
            await connection.request(subject, subject.encode())
    found = await asyncio.gather(*(store.read_subject(subject) for subject in subjects))
    assert [len(stored) for stored in found] == [number % 7 for number in range(40)]
    assert {s.nats_subject == s.body.decode() for stored in found for s in stored} == {True}
    await connection.close()
