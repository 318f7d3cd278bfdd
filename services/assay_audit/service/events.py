"""Watch: every event from any position, read from the stream itself, one reading a watcher.

A watcher pulls: what it does not take stays on the stream, so that a slow one holds up nobody and
keeps no more than one batch in memory here. It resumes after the revision that it saw last, of an
event or a heartbeat: nothing is missed and nothing comes twice.
"""

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from assay.error.v1.error_reason_pb2 import Reason
from assay.event.v1.envelope_pb2 import Envelope, RecordedEvent
from assay.event.v1.event_service_pb2 import Heartbeat, WatchRequest, WatchResponse
from assay.event.v1.event_service_pb2_grpc import EventServiceServicer
from assay_events.codec import event_types
from assay_events.decider import Invalid
from assay_events.envelope import Stored, context_of
from assay_events.store import EventStore
from assay_serve.call import Context

CONTEXTS = frozenset({"metadata", "artifact", "lineage", "approval", "audit"})
SILENCE_SECONDS = 5.0


class EventService(EventServiceServicer):
    """Hands out the stream; knows nothing of the log's tables."""

    def __init__(self, store: EventStore, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Read from `store`; give a sign of life after `silence_seconds` without a match."""
        self._store = store
        self._silence_seconds = silence_seconds

    async def Watch(self, request: WatchRequest, _: Context) -> AsyncGenerator[WatchResponse, None]:
        """Yield the events after a position that are asked for, and where the reading stands."""
        is_wanted = _filter(request)
        position, end = request.after_revision, await self._store.last_revision()
        _check_position(position, end)
        spoke = time.monotonic()
        async for batch in self._store.read(position, follow=not request.until_now):
            for stored in batch:
                if request.until_now and stored.revision > end:
                    break
                position = stored.revision
                if is_wanted(stored):
                    yield WatchResponse(event=_recorded(stored))
                    spoke = time.monotonic()
            if time.monotonic() - spoke >= self._silence_seconds:
                yield _heartbeat(position)
                spoke = time.monotonic()
            if request.until_now and position >= end:
                break
        yield _heartbeat(position)


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which events a watcher wants; empty means all."""

    contexts: frozenset[str]
    types: frozenset[str]
    resource: str

    def __call__(self, stored: Stored) -> bool:
        """Tell whether one message is wanted; its body is looked into only for its resource."""
        if self.contexts and context_of(stored.nats_subject) not in self.contexts:
            return False
        if self.types and stored.type not in self.types:
            return False
        return not self.resource or self._is_below(_resource(stored))

    def _is_below(self, name: str) -> bool:
        return name == self.resource or name.startswith(f"{self.resource}/")


def _filter(request: WatchRequest) -> Callable[[Stored], bool]:
    """Return what tells the wanted events; refuse names that no event can have."""
    contexts, types = frozenset(request.contexts), frozenset(request.types)
    for context in sorted(contexts - CONTEXTS):
        text = f"Watch some of {', '.join(sorted(CONTEXTS))}; {context!r} is none of them."
        raise Invalid(Reason.REASON_MALFORMED, text, "contexts")
    for event_type in sorted(types - event_types().keys()):
        text = (
            f"Name event types in full, as in assay.metadata.v1.StageSet; {event_type!r} is none."
        )
        raise Invalid(Reason.REASON_MALFORMED, text, "types")
    return _Filter(contexts, types, request.resource.rstrip("/"))


def _check_position(after: int, end: int) -> None:
    if not 0 <= after <= end:
        text = f"Watch after a revision from 0 to {end}, where the stream ends now."
        raise Invalid(Reason.REASON_BAD_MOMENT, text, "after_revision")


def _resource(stored: Stored) -> str:
    try:
        return Envelope.FromString(stored.body).subject
    except DecodeError:
        return ""


def _recorded(stored: Stored) -> RecordedEvent:
    event = RecordedEvent(envelope=stored.body, revision=stored.revision)
    event.stream_time.FromDatetime(stored.stream_time)
    return event


def _heartbeat(position: int) -> WatchResponse:
    heartbeat = Heartbeat(revision=position)
    heartbeat.time.FromDatetime(datetime.now(UTC))
    return WatchResponse(heartbeat=heartbeat)
