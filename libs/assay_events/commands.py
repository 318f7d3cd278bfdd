"""How a command becomes events: load, recognise a retry, decide, append.

The only copy of these steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay.event.v1.envelope_pb2 import Envelope
from assay.type.v1.actor_pb2 import Actor
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_events import admission, codec, ids, token
from assay_events.aggregates import Aggregates, Entry
from assay_events.decider import Aborted, Command, Decider, Event, Invalid, Refusal, State
from assay_events.envelope import NewMessage, Recorded
from assay_events.errors import LostRace
from assay_events.fold import Folded, take
from assay_events.store import EventStore

_ATTEMPTS = 8
_AnyEvent = TypeVar("_AnyEvent", bound=Message)


@dataclass(frozen=True, slots=True)
class Intent:
    """Who asks, under which request id, when and why.

    Everything about a command but the command.
    """

    actor: Actor
    request_id: str
    request_digest: bytes
    time: datetime
    etag: str = ""
    reason: PersonalText | None = None
    causation_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Done(Generic[State]):
    """What a request brought about: its own events, and the aggregate just after them."""

    folded: Folded[State]
    events: tuple[Recorded, ...]

    @property
    def state(self) -> State:
        """The aggregate's state just after the request's last event."""
        return self.folded.state

    @property
    def revision(self) -> int:
        """Revision of the request's last event, or of the aggregate where it changed nothing."""
        return self.folded.revision

    @property
    def token(self) -> str:
        """Consistency token of `revision`."""
        return token.encode(self.revision)

    def etag(self, name: str) -> str:
        """Return the etag that one of the aggregate's resources had just after the request."""
        own = [event.revision for event in self.events if event.name == name]
        return f'"{own[-1]}"' if own else self.folded.etag(name)

    def first(self, event_type: type[_AnyEvent]) -> Recorded | None:
        """Return the request's first event of a type, None for none."""
        return next((e for e in self.events if isinstance(e.event, event_type)), None)


class Commands:
    """Handles the commands of one service against the stream; knows no rule of any domain."""

    def __init__(
        self, store: EventStore, *, context: str, deployment: str, cached_events: int = 200_000
    ) -> None:
        """Write as `services/<context>`.

        Keep aggregates of at most `cached_events` events together.
        """
        self._store = store
        self._source = f"services/{context}"
        self._deployment = deployment
        self._aggregates = Aggregates(store, deployment, cached_events)

    async def handle(
        self,
        decider: Decider[Command, State, Event],
        name: str,
        command: Command,
        intent: Intent,
        resource: str = "",
    ) -> Done[State]:
        """Decide about `command` on the aggregate called `name`, append what follows.

        And return it.

        A request id that is recorded already gives that request's outcome again. `intent.etag` is
        compared with
        the etag of `resource`, by default the aggregate's own.
        """
        async with self._aggregates.locked(decider, name) as entry:
            for _ in range(_ATTEMPTS):
                done = await self._attempt(decider, entry, command, intent, resource or name)
                if done is not None:
                    return done
                await self._aggregates.catch_up(decider, entry)
        raise Aborted(
            Reason.REASON_LOST_RACE, f"Others keep changing {name}; send the request again."
        )

    async def fold(self, decider: Decider[Any, State, Event], name: str) -> Folded[State]:
        """Return the aggregate as the stream has it at this moment; do not change it."""
        async with self._aggregates.locked(decider, name) as entry:
            await self._aggregates.refresh(decider, entry)
            return entry.snapshot()

    async def is_recorded(
        self, decider: Decider[Any, State, Event], name: str, request_id: str
    ) -> bool:
        """Return whether a request has written its events already."""
        return (await self.fold(decider, name)).first_revision(request_id) > 0

    async def is_repeated(
        self, decider: Decider[Any, State, Event], name: str, folded: Folded[State], intent: Intent
    ) -> bool:
        """Return whether this very request has written its events already; read only the first.

        `folded` is the aggregate called `name`. Refuse a request id that another request used.
        """
        first_revision = folded.first_revision(intent.request_id)
        if not first_revision:
            return False
        stored = await self._store.read_one(decider.subject(name), first_revision)
        if stored is not None:
            _check_same_request(codec.decode_leniently(stored), intent)
        return stored is not None

    async def _attempt(
        self,
        decider: Decider[Command, State, Event],
        entry: Entry[State],
        command: Command,
        intent: Intent,
        resource: str,
    ) -> Done[State] | None:
        """Return the outcome.

        Or None where the cached aggregate proved stale and has to be caught up.
        """
        first_revision = entry.folded.first_revision(intent.request_id)
        if first_revision:
            return await self._recorded_outcome(decider, entry, first_revision, intent)
        try:
            check_etag(entry.folded, resource, intent)
            events = decider.decide(command, entry.folded.state)
        except Refusal:
            if await self._aggregates.is_stale(entry):
                return None
            raise
        if not events:
            return None if await self._aggregates.is_stale(entry) else Done(entry.snapshot(), ())
        return await self._append(decider, entry, events, intent)

    async def _append(
        self,
        decider: Decider[Command, State, Event],
        entry: Entry[State],
        events: Sequence[Event],
        intent: Intent,
    ) -> Done[State] | None:
        messages = self._messages(entry, events, intent)
        try:
            last = await self._store.append(entry.nats_subject, messages, entry.folded.revision)
        except LostRace:
            return None
        taken = entry.take_appended(decider, messages, last, self._deployment)
        return Done(entry.snapshot(), taken)

    def _messages(
        self, entry: Entry[State], events: Sequence[Message], intent: Intent
    ) -> list[NewMessage]:
        previous, messages = entry.folded.digest, list[NewMessage]()
        for index, event in enumerate(events):
            envelope = self._envelope(entry.nats_subject, event, index, intent)
            envelope.previous_digest = previous
            message = codec.encode(envelope, event)
            previous = admission.digest(message.body)
            messages.append(message)
        return messages

    def _envelope(self, nats_subject: str, event: Message, index: int, intent: Intent) -> Envelope:
        envelope = Envelope(
            id=ids.event_id(nats_subject, intent.request_id, index),
            source=self._source,
            subject=getattr(event, "name"),  # noqa: B009 - every event message has a name
            actor=intent.actor,
            request_id=intent.request_id,
            request_digest=intent.request_digest,
            reason=intent.reason,
            causation_id=intent.causation_id,
            traceparent=intent.traceparent,
            aggregate=nats_subject,
            deployment=self._deployment,
        )
        envelope.time.FromDatetime(intent.time)
        return envelope

    async def _recorded_outcome(
        self,
        decider: Decider[Command, State, Event],
        entry: Entry[State],
        first_revision: int,
        intent: Intent,
    ) -> Done[State]:
        """Return the outcome of a request that was recorded before, as it was then."""
        folded, own = Folded(decider.initial), list[Recorded]()
        for stored in await self._store.read_subject(entry.nats_subject):
            is_own = _is_of(codec.decode_leniently(stored), intent)
            if stored.revision >= first_revision and not is_own:
                break
            recorded = take(folded, decider, stored, self._deployment)
            if recorded is not None and stored.revision >= first_revision:
                own.append(recorded)
        _check_same_request(own[0], intent)
        return Done(folded, tuple(own))


def _is_of(recorded: Recorded, intent: Intent) -> bool:
    return recorded.envelope.request_id == intent.request_id


def _check_same_request(recorded: Recorded, intent: Intent) -> None:
    envelope = recorded.envelope
    same = envelope.request_digest == intent.request_digest
    if not same or envelope.actor.principal != intent.actor.principal:
        raise Invalid(
            Reason.REASON_REQUEST_ID_REUSED,
            f"The request id {UUID(intent.request_id)} was used for another request; "
            "take a new one.",
            field="request_id",
        )


def check_etag(folded: Folded[State], resource: str, intent: Intent) -> None:
    """Refuse an etag that is not the current one of `resource`."""
    current = folded.etag(resource)
    if intent.etag and intent.etag != current:
        raise Aborted(
            Reason.REASON_ETAG_MISMATCH,
            f"{resource} was changed since it was read; read it again and send its new etag.",
            etag=current,
            name=resource,
        )
