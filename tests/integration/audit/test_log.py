"""The log holds every event verbatim and in order, whatever it is, and finds it again."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.json_format import ParseDict

from assay.audit.v1.audit_service_pb2 import (
    GetLogEntryRequest,
    ListLogEntriesRequest,
    ListLogEntriesResponse,
)
from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import ModelCreated, StageSet
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay.type.v1.moment_pb2 import Moment
from assay_audit.service.log import AuditService
from assay_events import token
from assay_events.decider import Invalid, NotFound
from assay_trust import digests
from tests.support.read_model import Following
from tests.support.scribe import ANN, DEPLOYMENT, Scribe, subject_of

CHURN = "namespaces/default/models/churn"
REQUEST = "44444444-4444-4444-8444-444444444444"
BOB = Actor(
    principal="principals/33333333-3333-4333-8333-333333333333",
    kind=ActorKind.ACTOR_KIND_WORKLOAD,
)


async def listed(audit: AuditService, request: ListLogEntriesRequest) -> list[int]:
    response = await audit.ListLogEntries(request, None)
    return [entry.revision for entry in response.entries]


@pytest.mark.requirement("A1", "R2")
async def test_every_event_is_there_verbatim_and_in_order(
    scribe: Scribe, log: Following, audit: AuditService
) -> None:
    for number in range(120):
        await scribe.write(ModelCreated(name=f"{CHURN}-{number}", tags={"n": str(number)}))
    last = await scribe.stores["audit"].last_revision()
    await log.reach(last)
    seen, request = [], ListLogEntriesRequest(page_size=50)
    while True:
        page = await audit.ListLogEntries(request, None)
        seen += [entry.revision for entry in page.entries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == list(range(1, last + 1))
    async for batch in scribe.stores["audit"].read(0, follow=False):
        for stored in batch:
            got = await audit.GetLogEntry(GetLogEntryRequest(revision=stored.revision), None)
            assert got.entry.envelope == stored.body
            assert got.entry.digest == digests.sha256(stored.body)
            assert got.entry.stream_time.ToDatetime(tzinfo=UTC) == stored.stream_time


async def test_an_entry_is_decoded(scribe: Scribe, log: Following, audit: AuditService) -> None:
    revision = await scribe.write(ModelCreated(name=CHURN, description="x", tags={"a": "b"}), BOB)
    await log.reach(revision)
    got = await audit.GetLogEntry(GetLogEntryRequest(revision=revision), None)
    entry = got.entry
    envelope = Envelope.FromString(entry.envelope)
    assert entry.context == "metadata"
    assert entry.type == "assay.metadata.v1.ModelCreated"
    assert entry.resource == CHURN
    assert entry.actor == BOB
    assert entry.time == envelope.time
    assert entry.request_id == envelope.request_id
    assert entry.event_id == envelope.id
    assert ParseDict(json.loads(entry.data_json), ModelCreated()) == ModelCreated(
        name=CHURN, description="x", tags={"a": "b"}
    )
    assert entry.is_valid
    assert not entry.defect
    assert token.decode(got.consistency_token) >= revision


async def test_a_missing_entry_is_not_found(log: Following, audit: AuditService) -> None:
    await log.reach(1)
    for revision in (99, -1):
        with pytest.raises(NotFound):
            await audit.GetLogEntry(GetLogEntryRequest(revision=revision), None)


async def test_garbage_is_stored_and_flagged_and_stops_nothing(
    scribe: Scribe, log: Following, audit: AuditService
) -> None:
    good = ModelCreated(name=CHURN)
    aggregate = subject_of("metadata", CHURN)
    foreign = Envelope(type="assay.approval.v1.ApprovalGranted", subject="a").SerializeToString()
    hostile = Envelope(
        type="assay.metadata.v1.ModelCreated",
        subject="namespaces/\0" + "x" * 50_000,
        request_id="\0",
        deployment=DEPLOYMENT,
        source="services/metadata",
        data=b"\xff",
    )
    hostile.time.seconds = 2**62
    wrong = [
        await scribe.write_raw("metadata", b""),
        await scribe.write_raw("metadata", b"\xff\xff\xff", "assay.metadata.v1.StageSet"),
        await scribe.write_raw("metadata", b"x" * 900_000),
        await scribe.write_raw("approval", foreign, "assay.approval.v1.ApprovalGranted"),
        await scribe.write_raw("metadata", hostile.SerializeToString(), hostile.type),
        await scribe.write_raw("metadata", b"short", tail="x"),
        await scribe.write_raw("metadata", b"long", tail="a.b.c.d.e.f"),
        await scribe.write(good, source="services/approval"),
        await scribe.write(good, deployment=ANN.principal),
        await scribe.write(good, aggregate=aggregate[:-1] + "?"),
        await scribe.write(good, subject=f"{CHURN}-2"),
        await scribe.write(good, previous_digest=b"0" * 32),
        await scribe.write(StageSet(name=f"{CHURN}/stages/s"), header="assay.metadata.v1.AliasSet"),
    ]
    last = await scribe.write(ModelCreated(name=f"{CHURN}-9"))
    await log.reach(last)
    response = await audit.ListLogEntries(
        ListLogEntriesRequest(filter="is_valid = false", page_size=100), None
    )
    entries = {entry.revision: entry for entry in response.entries}
    assert sorted(entries) == wrong
    assert all(entry.defect for entry in entries.values())
    assert await listed(audit, ListLogEntriesRequest(filter="is_valid = true")) == [1, last]
    got = await audit.GetLogEntry(GetLogEntryRequest(revision=wrong[2]), None)
    assert got.entry.envelope == b"x" * 900_000


@pytest.mark.parametrize("tail", ["x", "model.a.b", f"{'z' * 3000}.{'0' * 32}"])
async def test_an_event_forged_for_a_subject_of_no_aggregate_counts_nowhere(
    scribe: Scribe, log: Following, audit: AuditService, tail: str
) -> None:
    event = ModelCreated(name=CHURN)
    forged = Envelope(
        type="assay.metadata.v1.ModelCreated",
        source="services/metadata",
        subject=CHURN,
        request_id=REQUEST,
        aggregate=f"assay.v1.metadata.{tail}",
        deployment=DEPLOYMENT,
        data=event.SerializeToString(),
    )
    revision = await scribe.write_raw("metadata", forged.SerializeToString(), forged.type, tail)
    await log.reach(revision)
    assert await listed(audit, ListLogEntriesRequest(filter="is_valid = false")) == [revision]


@pytest.mark.requirement("A1")
async def test_a_replayed_log_is_the_same_row_by_row(scribe: Scribe, log: Following) -> None:
    for number in range(10):
        await scribe.write(ModelCreated(name=f"{CHURN}-{number}"))
        await scribe.write_raw("lineage", b"\xff" * number)
        await scribe.write(StageSet(name=f"{CHURN}-{number}/stages/a", version=f"{number}"))
    await log.reach(await scribe.stores["audit"].last_revision())
    assert await log.rebuilder.check() == []
    assert await log.rebuilder.rebuild() == await scribe.stores["audit"].last_revision()


async def test_a_rebuilt_log_goes_on(scribe: Scribe, log: Following, audit: AuditService) -> None:
    await scribe.write(ModelCreated(name=CHURN))
    await log.rebuilder.rebuild()
    last = await scribe.write(StageSet(name=f"{CHURN}/stages/a", version="v"))
    await log.reach(last)
    assert await listed(audit, ListLogEntriesRequest(filter=f"revision >= {last}")) == [last]


@pytest.mark.requirement("A9.1")
async def test_the_log_is_filtered(scribe: Scribe, log: Following, audit: AuditService) -> None:
    first = await scribe.write(ModelCreated(name=CHURN), BOB, request_id=REQUEST)
    other = await scribe.write(ModelCreated(name=f"{CHURN}-2"))
    stage = await scribe.write(StageSet(name=f"{CHURN}/stages/production", version="v"))
    await log.reach(stage)
    expected = {
        f"revision > {first}": [other, stage],
        'context = "audit"': [1],
        'context = "metadata" AND revision < 4': [first, other],
        'type = "assay.metadata.v1.StageSet"': [stage],
        'type : "StageSet"': [stage],
        f'resource = "{CHURN}"': [first],
        f'resource : "{CHURN}"': [first, stage],
        f'actor = "{BOB.principal}"': [first],
        "actor_kind = ACTOR_KIND_WORKLOAD": [first],
        f'request_id = "{REQUEST}"': [first],
        'time >= "2020-01-01T00:00:00Z" AND NOT context = "audit"': [first, other, stage],
        'time < "2020-01-01T00:00:00Z"': [],
        "is_valid = false": [],
    }
    for text, revisions in expected.items():
        assert await listed(audit, ListLogEntriesRequest(filter=text)) == revisions, text
    newest_first = ListLogEntriesRequest(order_by="revision desc", page_size=2)
    assert await listed(audit, newest_first) == [stage, other]


@pytest.mark.parametrize(
    "text", ['body = "x"', "1 = 1", "revision = 'x'; DROP TABLE log", 'actor_kind = "x"', "(("]
)
async def test_other_filters_are_refused(log: Following, audit: AuditService, text: str) -> None:
    with pytest.raises(Invalid):
        await audit.ListLogEntries(ListLogEntriesRequest(filter=text), None)


async def test_the_log_is_read_as_it_was(
    scribe: Scribe, log: Following, audit: AuditService
) -> None:
    first = await scribe.write(ModelCreated(name=CHURN))
    last = await scribe.write(ModelCreated(name=f"{CHURN}-2"))
    await log.reach(last)
    as_of = ListLogEntriesRequest(as_of=Moment(revision=first))
    assert await listed(audit, as_of) == [1, first]
    stored = await scribe.stores["audit"].last(subject_of("metadata", CHURN))
    assert stored is not None
    moment = Moment()
    moment.time.FromDatetime(stored.stream_time)
    assert await listed(audit, ListLogEntriesRequest(as_of=moment)) == [1, first]
    moment.time.FromDatetime(stored.stream_time - timedelta(microseconds=1))
    assert await listed(audit, ListLogEntriesRequest(as_of=moment)) == [1]
    moment.time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(Invalid):
        await audit.ListLogEntries(ListLogEntriesRequest(as_of=moment), None)


async def test_large_events_make_a_shorter_page(
    scribe: Scribe, log: Following, audit: AuditService
) -> None:
    for number in range(40):
        await scribe.write(ModelCreated(name=f"{CHURN}-{number}", description="x" * 50_000))
    await log.reach(41)
    seen: list[int] = []
    request, pages = ListLogEntriesRequest(page_size=1000), list[ListLogEntriesResponse]()
    while not pages or pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token if pages else ""
        pages.append(await audit.ListLogEntries(request, None))
        assert pages[-1].ByteSize() < 2 * 1024 * 1024
        seen += [entry.revision for entry in pages[-1].entries]
    assert len(pages) > 1
    assert seen == list(range(1, 42))
