"""Events that do not hold by themselves, or lie in the wrong place, mean no row."""

from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from assay.approval.v1 import events_pb2
from assay.approval.v1.events_pb2 import KeyEnrolled, PolicyPublished
from assay.event.v1.envelope_pb2 import Envelope
from assay_approval.domain.approval import APPROVAL
from assay_approval.projection import APPROVAL as READ_MODEL
from assay_approval.projection import apply
from assay_events.envelope import Recorded, Stored
from assay_events.projection import Add
from tests.unit.assay_approval.people import (
    BOB,
    asked,
    granted,
    policy,
    signed,
)


def recorded(event: Message, nats_subject: str = "") -> Recorded:
    name: str = getattr(event, "name")  # noqa: B009 - every event has one
    place = nats_subject or APPROVAL.subject(name)
    stored = Stored(place, event.DESCRIPTOR.full_name, b"", 7, datetime.now(UTC))
    return Recorded(Envelope(subject=name), event, stored)


def rows(event: Message) -> set[str]:
    """Return the tables that an event means rows of, but for itself."""
    return {write.table for write in apply(recorded(event))} - {"event"}


def test_events_that_hold_are_found_by_what_they_are_about() -> None:
    assert rows(asked()) == {"approval_requested", "approval_state", "timer"}
    assert rows(signed(BOB, asked())) == {"signature"}
    assert rows(granted(asked(), BOB)) == {"approval_state", "timer"}


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
    ],
)
def test_what_does_not_hold_by_itself_is_kept_and_found_nowhere(event: Message) -> None:
    writes = list(apply(recorded(event)))
    assert [write.table for write in writes if isinstance(write, Add)] == ["event"]


def test_each_event_of_the_context_is_read() -> None:
    names = set(events_pb2.DESCRIPTOR.message_types_by_name)
    assert {event.DESCRIPTOR.name for event in READ_MODEL.events or ()} == names
