"""Log entries: what is stored, decoded for reading."""

import json
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import StageSet
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_audit.projection import apply
from assay_audit.queries import LogRow
from assay_audit.service.entries import to_entry
from assay_events import codec
from assay_events.envelope import Stored
from assay_events.projection import Add
from assay_trust import digests

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
STAGE = "namespaces/default/models/churn/stages/production"


def row(body: bytes, type_: str = "", defect: str = "") -> LogRow:
    return LogRow(7, NOW, "assay.v1.metadata.model.x", type_, not defect, defect, body)


def test_an_entry_says_all_that_the_envelope_says() -> None:
    event = StageSet(name=STAGE, version="namespaces/default/models/churn/versions/3")
    envelope = Envelope(
        id="e",
        type="assay.metadata.v1.StageSet",
        subject=STAGE,
        actor=Actor(principal="services/metadata", kind=ActorKind.ACTOR_KIND_SERVICE),
        request_id="r",
        reason=PersonalText(clear="because"),
        causation_id="c",
        data=event.SerializeToString(),
    )
    envelope.time.FromDatetime(NOW)
    body = envelope.SerializeToString()
    entry = to_entry(row(body))
    assert entry.revision == 7
    assert entry.context == "metadata"
    assert entry.type == "assay.metadata.v1.StageSet"
    assert entry.resource == STAGE
    assert entry.actor == envelope.actor
    assert entry.time == envelope.time
    assert entry.stream_time.ToDatetime(tzinfo=UTC) == NOW
    assert entry.request_id == "r"
    assert entry.event_id == "e"
    assert entry.causation_id == "c"
    assert entry.reason == "because"
    assert entry.digest == digests.sha256(body)
    assert entry.is_valid
    assert json.loads(entry.data_json) == {
        "name": STAGE,
        "version": "namespaces/default/models/churn/versions/3",
    }
    assert not entry.envelope
    assert to_entry(row(body), with_envelope=True).envelope == body


def test_a_type_that_nobody_knows_stays_undecoded() -> None:
    body = Envelope(type="assay.metadata.v1.Unheard", data=b"x").SerializeToString()
    entry = to_entry(row(body, defect="its type is unknown."))
    assert entry.type == "assay.metadata.v1.Unheard"
    assert not entry.data_json
    assert not entry.is_valid
    assert entry.defect == "its type is unknown."


envelopes = st.builds(
    Envelope,
    type=st.sampled_from(sorted(codec.event_types())) | st.text(),
    subject=st.text(),
    request_id=st.text(),
    actor=st.builds(Actor, principal=st.text(), kind=st.integers(-(2**31), 2**31 - 1)),
    data=st.binary(),
).map(Envelope.SerializeToString)
bodies = st.binary() | envelopes


def _with_time(body: bytes, seconds: int, nanos: int) -> bytes:
    time = Envelope()
    time.time.seconds, time.time.nanos = seconds, nanos
    return body + time.SerializeToString()


@given(
    st.builds(
        _with_time, envelopes, st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
    )
    | bodies,
    st.text(),
)
def test_whatever_lies_on_the_stream_is_stored_and_can_be_shown(body: bytes, type_: str) -> None:
    stored = Stored("assay.v1.metadata.model.x", type_, body, 7, NOW)
    log, *_ = apply(codec.decode_leniently(stored))
    assert isinstance(log, Add)
    assert log.row["body"] == body
    assert all("\0" not in value for value in log.row.values() if isinstance(value, str))
    entry = to_entry(row(body, type_), with_envelope=True)
    assert entry.envelope == body
    assert MessageToJson(entry)
