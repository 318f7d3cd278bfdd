"""What a service can do with the stream, and above all what it can't: write for another."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats as client
import pytest
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NoAnswer

from assay_serve.embedded import nats
from assay_serve.embedded.contexts import SERVICES
from tests.integration.embedded.nats_store import (
    OWN,
    STREAM,
    Store,
    ask,
    at,
    connect,
    consumer_request,
    make_consumer,
    pull,
    requests,
    stream,
)

PAIRS = [(one, other) for one in SERVICES for other in SERVICES if one != other]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nats.Bus]:
    folder: Path = tmp_path_factory.mktemp("nats")
    with nats.running(folder) as bus:
        yield bus


@pytest.fixture
async def store(bus: nats.Bus) -> AsyncIterator[Store]:
    """A stream with one event of each service."""
    everyone = {user: await connect(bus, user) for user in nats.USERS}
    setup = everyone.pop("setup")
    await setup.request("$JS.API.STREAM.DELETE.ASSAY")
    await setup.request("$JS.API.STREAM.CREATE.ASSAY", json.dumps(STREAM).encode())
    for name, service in everyone.items():
        await service.request(OWN.format(name), name.encode())
    yield Store(setup, everyone)
    for each in (setup, *everyone.values()):
        await each.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_and_reads_under_its_own_subject(store: Store, service: str) -> None:
    mine, subject = store.services[service], OWN.format(service)
    first = 1 + SERVICES.index(service)
    stale = {"Nats-Expected-Last-Subject-Sequence": "0"}
    refused = await ask(mine, subject, b"two", stale)
    assert at(refused, "error", "err_code") == 10071
    expected = {"Nats-Expected-Last-Subject-Sequence": str(first), "Nats-Msg-Id": f"{service}:2"}
    assert await ask(mine, subject, b"two", expected) == {"stream": "ASSAY", "seq": 6}
    again = await ask(mine, subject, b"two", {"Nats-Msg-Id": f"{service}:2"})
    assert again == {"stream": "ASSAY", "seq": 6, "duplicate": True}
    last = await mine.request(f"{nats.API}.DIRECT.GET.ASSAY.{subject}")
    assert last.data == b"two"
    assert last.headers is not None
    assert last.headers["Nats-Sequence"] == "6"


async def test_a_service_writes_two_subjects_in_one_batch(store: Store) -> None:
    mine = store.services["metadata"]
    batch = {"Nats-Batch-Id": "b1", "Nats-Batch-Sequence": "1"}
    assert (await mine.request("assay.v1.metadata.model.b", b"1", headers=batch)).data == b""
    commit = {"Nats-Batch-Id": "b1", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}
    done = await ask(mine, "assay.v1.metadata.model.c", b"2", commit)
    assert (at(done, "seq"), at(done, "count")) == (7, 2)


async def test_a_batch_may_not_hold_the_subject_of_another(store: Store) -> None:
    mine = store.services["metadata"]
    batch = {"Nats-Batch-Id": "b2", "Nats-Batch-Sequence": "1"}
    await mine.request("assay.v1.metadata.model.b", b"1", headers=batch)
    commit = {"Nats-Batch-Id": "b2", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}
    before = await store.state()
    with pytest.raises(NoRespondersError):
        await mine.request("assay.v1.approval.model.b", b"2", headers=commit)
    assert await store.state() == before


async def test_a_service_reads_the_whole_stream_in_order(store: Store) -> None:
    mine = store.services["audit"]
    await make_consumer(mine, "reader")
    seen = await pull(mine, "reader", 5)
    assert [message.data.decode() for message in seen] == list(SERVICES)
    sequences = [message.reply.split(".")[5] for message in seen]
    assert sequences == ["1", "2", "3", "4", "5"]
    times = [int(message.reply.split(".")[7]) for message in seen]
    assert times == sorted(times)
    assert min(times) > 1_700_000_000 * 10**9


async def test_a_service_reads_many_events_with_one_direct_get(store: Store) -> None:
    request = {"seq": 1, "batch": 10, "next_by_subj": "assay.v1.>"}
    answers = await stream(
        store.services["audit"], f"{nats.API}.DIRECT.GET.ASSAY", json.dumps(request).encode(), 6
    )
    assert [answer.data.decode() for answer in answers[:5]] == list(SERVICES)
    assert answers[5].headers is not None
    assert answers[5].headers["Status"] == "204"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_sees_that_what_is_acknowledged_is_on_disk(
    store: Store, service: str
) -> None:
    seen = await ask(store.services[service], "assay.ops.varz")
    assert at(seen, "data", "jetstream", "config", "sync_always") is True


async def test_a_service_talks_with_itself_and_with_no_other(store: Store, bus: nats.Bus) -> None:
    twin = await connect(bus, "metadata")
    hearing = await twin.subscribe("assay.pos.>")
    deaf = await store.services["audit"].subscribe("assay.pos.>")
    await twin.flush()
    await store.services["audit"].flush()
    await store.services["metadata"].publish("assay.pos.metadata.models", b"5")
    assert (await hearing.next_msg(timeout=30)).data == b"5"
    with pytest.raises(NoAnswer):
        await deaf.next_msg(timeout=0.2)
    await twin.close()


@pytest.mark.parametrize(("service", "other"), PAIRS)
async def test_a_service_cannot_write_for_another(store: Store, service: str, other: str) -> None:
    mine, foreign = store.services[service], f"assay.v1.{other}.model.forged"
    await make_consumer(mine, "reader")
    before = await store.state()
    with pytest.raises(NoRespondersError):
        await mine.request(foreign, b"forged")
    for subject, body in requests(service):
        await mine.publish(subject, body, reply=foreign)
    traced = {"Nats-Trace-Dest": foreign}
    await mine.publish("assay.ops.varz", b"", headers=traced)
    refused = await ask(
        mine,
        f"{nats.API}.CONSUMER.CREATE.ASSAY.push",
        consumer_request("push", deliver_subject=foreign),
    )
    assert at(refused, "error", "err_code") == 10081
    await mine.flush()
    await asyncio.sleep(0.1)
    assert await store.state() == before


@pytest.mark.parametrize("service", SERVICES)
async def test_the_answer_to_an_event_of_ones_own_cannot_be_an_event_of_another(
    store: Store, service: str
) -> None:
    mine = store.services[service]
    for other in SERVICES:
        if other != service:
            await mine.publish(OWN.format(service), b"mine", reply=f"assay.v1.{other}.forged")
    await mine.flush()
    await asyncio.sleep(0.1)
    info = await ask(store.setup, "$JS.API.STREAM.INFO.ASSAY", b'{"subjects_filter": ">"}')
    subjects = at(info, "state", "subjects")
    assert isinstance(subjects, dict)
    assert set(subjects) == {OWN.format(name) for name in SERVICES}


@pytest.mark.requirement("A5")
@pytest.mark.parametrize("prefix", [nats.API, "$JS.API"])
async def test_no_service_changes_or_removes_what_is_kept(store: Store, prefix: str) -> None:
    before = await store.state()
    shrunk = json.dumps({**STREAM, "max_msgs": 1}).encode()
    for call, body in (
        ("STREAM.UPDATE.ASSAY", shrunk),
        ("STREAM.DELETE.ASSAY", b""),
        ("STREAM.PURGE.ASSAY", b""),
        ("STREAM.MSG.DELETE.ASSAY", b'{"seq": 1}'),
        ("STREAM.RESTORE.ASSAY", shrunk),
        ("STREAM.CREATE.OTHER", b'{"name": "OTHER", "subjects": ["other"]}'),
        ("CONSUMER.DELETE.ASSAY.reader", b""),
        ("CONSUMER.NAMES.ASSAY", b""),
        ("CONSUMER.LIST.ASSAY", b""),
        ("SERVER.REMOVE", b""),
        ("ACCOUNT.PURGE.STORE", b""),
    ):
        for service in store.services.values():
            try:
                answer = json.loads((await service.request(f"{prefix}.{call}", body)).data)
            except (NoRespondersError, NoAnswer):
                continue
            assert answer["error"]["err_code"] == 10039, (call, answer)  # no JetStream here
    assert await store.state() == before


@pytest.mark.parametrize(
    "target",
    ["STREAM.DELETE.ASSAY", "STREAM.UPDATE.ASSAY", "STREAM.PURGE.ASSAY", "STREAM.CREATE.OTHER"],
)
async def test_a_consumer_cannot_be_made_to_give_orders(store: Store, target: str) -> None:
    """An event delivered to an API subject would be a request with the rights of the store."""
    mine = store.services["metadata"]
    order = json.dumps({**STREAM, "max_msgs": 1}).encode()
    for body in (b"", order):
        for claim in ({}, {"Nats-Client-Info": '{"acc": "STORE"}'}):
            await mine.request("assay.v1.metadata.model.order", body, headers=claim)
    before = await store.state()
    for headers_only in (False, True):
        name = f"push{headers_only}"
        consumer = consumer_request(
            name, deliver_subject=f"$JS.API.{target}", headers_only=headers_only,
            filter_subject="assay.v1.metadata.model.order",
        )  # fmt: skip
        subject = f"{nats.API}.CONSUMER.CREATE.ASSAY.{name}.assay.v1.metadata.model.order"
        await mine.request(subject, consumer)
    await asyncio.sleep(0.3)
    assert await store.state() == before


async def test_nobody_gets_in_without_a_password(bus: nats.Bus) -> None:
    for user in ({}, {"user": "audit", "password": "guess"}, {"user": "sys", "password": ""}):
        with pytest.raises(Exception, match=r"Authorization Violation|Authentication"):
            await client.connect(bus.url, allow_reconnect=False, **user)
