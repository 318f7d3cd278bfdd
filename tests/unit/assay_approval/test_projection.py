"""Events that do not hold by themselves, or lie in the wrong place, mean no row."""

from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from assay.approval.v1 import events_pb2
from assay.approval.v1.events_pb2 import KeyEnrolled, PolicyPublished, PrincipalCreated
from assay.event.v1.envelope_pb2 import Envelope
from assay_approval.domain.approval import APPROVAL
from assay_approval.projection import APPROVAL as READ_MODEL
from assay_approval.projection import admit, apply
from assay_events.envelope import Recorded, Stored
from assay_events.projection import Add
from tests.unit.assay_approval.people import (
    ANN,
    BOB,
    asked,
    granted,
    history,
    policy,
    reject,
    request,
    signed,
    text,
)


def recorded(event: Message, nats_subject: str = "") -> Recorded:
    name: str = getattr(event, "name")  # noqa: B009 - every event has one
    place = nats_subject or APPROVAL.subject(name)
    stored = Stored(place, event.DESCRIPTOR.full_name, b"", 7, datetime.now(UTC))
    return Recorded(Envelope(subject=name), event, stored)


def test_events_that_hold_are_admitted_and_mean_one_row_each() -> None:
    for event in (asked(), signed(BOB, asked()), granted(asked(), BOB)):
        assert not admit(recorded(event))
        assert len(list(apply(recorded(event)))) == 1


def published(number: int, spelled: int, digest: str) -> PolicyPublished:
    version = policy()
    name = f"namespaces/default/policies/production/versions/{spelled}"
    return PolicyPublished(name=name, number=number, spec=version.spec, digest=digest)


BAD_REQUEST, BAD_SIGNATURE = asked(), signed(BOB, asked())
BAD_REQUEST.quorum = 0
BAD_SIGNATURE.signature = bytes(64)


@pytest.mark.parametrize(
    "event",
    [
        BAD_REQUEST,
        BAD_SIGNATURE,
        KeyEnrolled(name=BOB.key, public_key=BOB.pair.public),
        published(1, 1, "sha256:" + "00" * 32),
        published(1, 2, policy().digest),
    ],
)
def test_what_does_not_hold_by_itself_is_not_admitted(event: Message) -> None:
    assert "does not hold" in admit(recorded(event))


def test_what_lies_on_the_subject_of_something_else_is_not_admitted() -> None:
    there = APPROVAL.subject(ANN.name)
    assert "something else" in admit(recorded(signed(BOB, asked()), there))
    assert "something else" in admit(recorded(PrincipalCreated(name=BOB.name)))


def test_a_reason_is_shown_only_where_the_signature_binds_it() -> None:
    of = reject(BOB, asked(), "Drifts.")
    event = history(request(), of)[-1]
    for reason, shown in (("Drifts.", "Drifts."), ("Bought.", "")):
        place = recorded(event)
        place.envelope.reason.CopyFrom(text(reason))
        (write,) = apply(place)
        assert isinstance(write, Add)
        assert write.row["reason"] == shown


def test_each_event_of_the_context_is_read() -> None:
    names = set(events_pb2.DESCRIPTOR.message_types_by_name)
    assert {event.DESCRIPTOR.name for event in READ_MODEL.events or ()} == names
