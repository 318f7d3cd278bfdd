"""The rules of a namespace's policies, all on one subject: one fold says what governs a target."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from assay import names
from assay.approval.v1.events_pb2 import PolicyProposed, PolicyPublished
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.endorsements import is_endorsed
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.endorsing import Endorsing, endorse
from assay_approval.domain.policy_form import ANY, NO_TIER, normal
from assay_approval.signatures import is_sealed, policy_digest, policy_subject
from assay_events.decider import Aborted, Decider, Forbidden, NotFound, Rejection


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """Publish the next version of a policy, or propose it once there is a policy anywhere.

    `known_number` is the version that the caller saw, 0 for any.
    """

    policy: str
    spec: PolicySpec
    kind: ActorKind.ValueType
    proposer: str
    founding: bool
    known_number: int = 0


@dataclass(frozen=True, slots=True)
class EndorsePolicy:
    """Put a proposed version in force with another person's signature."""

    name: str
    endorsing: Endorsing


Command: TypeAlias = PublishPolicy | EndorsePolicy
Event: TypeAlias = PolicyProposed | PolicyPublished


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a policy, by its resource name."""

    name: str
    number: int
    digest: str
    spec: PolicySpec
    is_founding: bool = False


@dataclass(frozen=True, slots=True)
class Policies:
    """What the rules remember: the newest version of each policy, each ever, and each proposed."""

    newest: Mapping[str, Version] = field(default_factory=dict)
    versions: Mapping[str, Version] = field(default_factory=dict)
    proposed: Mapping[str, PolicyProposed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A stage or alias, and the tier of its model, empty for none."""

    name: names.AliasName | names.StageName
    tier: str = ""


def decide(command: Command, state: Policies) -> Sequence[Event]:
    """Return what `command` brings about, or nothing where the newest version says the same."""
    match command:
        case PublishPolicy():
            return _publish(command, state)
        case EndorsePolicy():
            return _endorse(command, state)
    assert_never(command)


def evolve(state: Policies, event: Event) -> Policies:
    """Return the state after `event`; what is not newer, sealed or endorsed does not count."""
    match event:
        case PolicyProposed():
            return _proposed(state, event)
        case PolicyPublished():
            return _published(state, event)
    assert_never(event)


def governing(state: Policies, target: Target) -> tuple[Version, ...]:
    """Return the newest version of each policy that governs `target`, sorted by name."""
    found = (version for version in state.newest.values() if _governs(version.spec, target))
    return tuple(sorted(found, key=lambda version: version.name))


def _publish(command: PublishPolicy, state: Policies) -> Sequence[Event]:
    if command.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Let a person publish the policy: it decides who must sign."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    spec = normal(command.spec)
    newest = state.newest.get(command.policy)
    number = newest.number if newest else 0
    if command.known_number and command.known_number != number:
        raise newer_policy()
    digest = policy_digest(spec)
    if newest and newest.digest == digest:
        return []
    name = f"{command.policy}/versions/{number + 1}"
    proposed = PolicyProposed(
        name=name,
        number=number + 1,
        spec=spec,
        previous_spec=newest.spec if newest else None,
        digest=digest,
        proposer=command.proposer,
    )
    if command.founding and not state.newest:
        return [_event(proposed, founding=True)]
    waiting = state.proposed.get(command.policy)
    return [] if waiting is not None and waiting.digest == digest else [proposed]


def _endorse(command: EndorsePolicy, state: Policies) -> Sequence[Event]:
    policy = command.name.rpartition("/versions/")[0]
    proposed = state.proposed.get(policy)
    if proposed is None or proposed.name != command.name:
        if command.name in state.versions:
            words = f"Leave {command.name} as it is: it waits for no endorsement."
            raise Rejection(Reason.REASON_NOT_PROPOSED, words, name=command.name)
        raise NotFound(command.name)
    published = _event(proposed, founding=False)
    signed = endorse(command.endorsing, policy_subject(proposed), [proposed.proposer])
    published.endorsement.CopyFrom(signed)
    return [published]


def _event(proposed: PolicyProposed, *, founding: bool) -> PolicyPublished:
    """Return the event that puts a proposed version in force."""
    return PolicyPublished(
        name=proposed.name,
        number=proposed.number,
        spec=proposed.spec,
        previous_spec=proposed.previous_spec if proposed.HasField("previous_spec") else None,
        digest=proposed.digest,
        proposer=proposed.proposer,
        founding=founding,
    )


def _proposed(state: Policies, event: PolicyProposed) -> Policies:
    policy, _, number = event.name.rpartition("/versions/")
    if number != str(event.number) or not is_sealed(event.spec, event.digest):
        return state
    return replace(state, proposed={**state.proposed, policy: event})


def _published(state: Policies, event: PolicyPublished) -> Policies:
    policy, _, number = event.name.rpartition("/versions/")
    newest = state.newest.get(policy)
    is_newer = event.number > (newest.number if newest else 0)
    if number != str(event.number) or not is_newer or not is_sealed(event.spec, event.digest):
        return state
    is_first = event.founding and not state.newest
    if not is_first and not is_endorsed(event):
        return state
    version = Version(event.name, event.number, event.digest, event.spec, event.founding)
    return replace(
        state,
        newest={**state.newest, policy: version},
        versions={**state.versions, event.name: version},
        proposed={name: each for name, each in state.proposed.items() if name != policy},
    )


def _governs(spec: PolicySpec, target: Target) -> bool:
    fits = not spec.tiers or (target.tier or NO_TIER) in spec.tiers
    match target.name:
        case names.AliasName(model=model, alias=alias):
            # NAME@LABEL is an alias before it is a stage: none may stand before a governed stage.
            selected = _selects(spec.aliases, alias) or alias in spec.stages
            return fits and _selects(spec.models, model) and selected
        case names.StageName(model=model, stage=stage):
            return fits and _selects(spec.models, model) and _selects(spec.stages, stage)


def _selects(ids: Iterable[str], wanted: str) -> bool:
    return any(each in (ANY, wanted) for each in ids)


def newer_policy() -> Aborted:
    """Return the refusal of a version on top of one that is no longer the newest."""
    words = "Read the policy again and send its new etag: it was changed since it was read."
    return Aborted(Reason.REASON_ETAG_MISMATCH, words)


POLICIES: Decider[Command, Policies, Event] = Decider(
    context="approval",
    aggregate="policies",
    initial=Policies(),
    decide=decide,
    evolve=evolve,
    events=(PolicyProposed, PolicyPublished),
)
