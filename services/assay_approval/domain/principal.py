"""The rules of a principal: known by its token, holder of keys, never the owner where it signs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from assay.approval.v1.events_pb2 import KeyEnrolled, KeyRevoked, PrincipalCreated
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain.key import key_taken
from assay_approval.signatures import is_proven
from assay_events.decider import Decider, Forbidden, Invalid, NotFound, Rejection
from assay_trust.errors import TrustError
from assay_trust.record import EnrolmentRecord

CLOCK_TOLERANCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CreatePrincipal:
    """Make the caller known."""

    name: str
    kind: ActorKind.ValueType
    printed_name: PersonalText
    login: PersonalText
    founding: bool


@dataclass(frozen=True, slots=True)
class Enrol:
    """Enrol a key for the caller, who proves to hold it by signing `record` with it."""

    principal: str
    public_key: bytes
    record: bytes
    signature: bytes
    is_owner: bool
    founding: bool
    deployment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Take a key's right to sign away."""

    key: str
    actor: str
    is_owner: bool


Command: TypeAlias = CreatePrincipal | Enrol | RevokeKey
Event: TypeAlias = PrincipalCreated | KeyEnrolled | KeyRevoked


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was enrolled once; a revoked one stays known, so that it never comes back."""

    public_key: bytes
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """What the rules remember of a principal; `keys` are by resource name, oldest first."""

    name: str = ""
    kind: ActorKind.ValueType = ActorKind.ACTOR_KIND_UNSPECIFIED
    printed_name: str = ""
    login: str = ""
    keys: dict[str, Key] = field(default_factory=dict)

    @property
    def signing_keys(self) -> dict[str, bytes]:
        """The keys that may sign now, by resource name."""
        return {name: key.public_key for name, key in self.keys.items() if not key.is_revoked}


def decide(command: Command, state: Principal) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal if a rule forbids it."""
    match command:
        case CreatePrincipal():
            return _create(command, state)
        case Enrol():
            return _enrol(command, state)
        case RevokeKey():
            return _revoke(command, state)
    assert_never(command)


def evolve(state: Principal, event: Event) -> Principal:
    """Return the state after `event`; what breaks a rule leaves it as it was."""
    match event:
        case PrincipalCreated():
            return state if state.name else _created(event)
        case KeyEnrolled():
            return _enrolled(state, event)
        case KeyRevoked():
            return _revoked(state, event)
    assert_never(event)


def _create(command: CreatePrincipal, state: Principal) -> Sequence[Event]:
    if state.name:
        return []
    created = PrincipalCreated(
        name=command.name,
        kind=command.kind,
        printed_name=command.printed_name,
        login=command.login,
        founding=command.founding,
    )
    return [created]


def _enrol(command: Enrol, state: Principal) -> Sequence[Event]:
    if command.is_owner:
        words = "Enrol keys of other people: the owner of the deployment never approves."
        raise Forbidden(Reason.REASON_OWNER_MAY_NOT_SIGN, words)
    if not state.name:
        raise NotFound(command.principal, "Create the principal before enrolling its key.")
    if state.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Let a person enrol the key: a workload never signs."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    enrolled = _proven(command)
    known = state.keys.get(enrolled.name)
    if known is None:
        return [enrolled]
    if known.is_revoked or known.public_key != enrolled.public_key:
        raise key_taken()
    return []


def _proven(command: Enrol) -> KeyEnrolled:
    """Return the event, once the holder of the key has proven to hold it."""
    try:
        record = EnrolmentRecord.from_bytes(command.record)
    except TrustError as error:
        raise Invalid(Reason.REASON_MALFORMED, str(error), field="record") from error
    if record.principal != command.principal or record.deployment != command.deployment:
        raise Rejection(
            Reason.REASON_BAD_SIGNATURE,
            "Sign a record that names the caller and this deployment.",
        )
    if abs(record.time - command.at) > CLOCK_TOLERANCE:
        raise stale_record()
    enrolled = KeyEnrolled(
        name=record.key,
        public_key=command.public_key,
        record=command.record,
        signature=command.signature,
        founding=command.founding,
    )
    if not is_proven(enrolled):
        raise Rejection(
            Reason.REASON_BAD_SIGNATURE,
            "Sign the enrolment record with the key that it names; this signature does not fit.",
        )
    return enrolled


def _revoke(command: RevokeKey, state: Principal) -> Sequence[Event]:
    if command.actor != state.name and not command.is_owner:
        words = "Ask the holder of the key, or the owner of the deployment, to revoke it."
        raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
    key = state.keys.get(command.key)
    if key is None:
        raise NotFound(command.key)
    return [] if key.is_revoked else [KeyRevoked(name=command.key, public_key=key.public_key)]


def _created(event: PrincipalCreated) -> Principal:
    return Principal(event.name, event.kind, event.printed_name.clear, event.login.clear)


def _enrolled(state: Principal, event: KeyEnrolled) -> Principal:
    mine = event.name.startswith(f"{state.name}/keys/")
    is_human = state.kind == ActorKind.ACTOR_KIND_HUMAN
    if not mine or not is_human or event.name in state.keys or not is_proven(event):
        return state
    return replace(state, keys={**state.keys, event.name: Key(event.public_key)})


def _revoked(state: Principal, event: KeyRevoked) -> Principal:
    key = state.keys.get(event.name)
    if key is None:
        return state
    return replace(state, keys={**state.keys, event.name: replace(key, is_revoked=True)})


def stale_record() -> Rejection:
    """Return the refusal of a record whose time is too far from the server's clock."""
    return Rejection(
        Reason.REASON_STALE_RECORD,
        "Prepare and sign again: the record's time is more than ten minutes from the server's.",
    )


PRINCIPAL: Decider[Command, Principal, Event] = Decider(
    context="approval",
    aggregate="principal",
    initial=Principal(),
    decide=decide,
    evolve=evolve,
    events=(PrincipalCreated, KeyEnrolled, KeyRevoked),
)
