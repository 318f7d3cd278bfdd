"""The rules of a namespace's policies, all on one subject: one fold says what governs a target."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from assay import names
from assay.approval.v1.events_pb2 import PolicyPublished
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.signatures import is_sealed, policy_digest
from assay_events.decider import Aborted, Decider, Forbidden, Invalid

MAX_QUORUM = 64
ANY = "*"


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """Publish the next version of a policy; `known_number` is the one the caller saw, 0 for any.

    `is_trusted` is said of the owner and of people with an enrolled key.
    """

    policy: str
    spec: PolicySpec
    kind: ActorKind.ValueType
    known_number: int = 0
    is_trusted: bool = True


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a policy, by its resource name."""

    name: str
    number: int
    digest: str
    spec: PolicySpec


@dataclass(frozen=True, slots=True)
class Policies:
    """What the rules remember: the newest version of each policy, and each version ever."""

    newest: dict[str, Version] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)


def decide(command: PublishPolicy, state: Policies) -> Sequence[PolicyPublished]:
    """Return the next version, or nothing where the newest says the same."""
    if command.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Let a person publish the policy: it decides who must sign."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    spec = _normal(command.spec)
    newest = state.newest.get(command.policy)
    number = newest.number if newest else 0
    if command.known_number and command.known_number != number:
        raise newer_policy()
    digest = policy_digest(spec)
    if newest and newest.digest == digest:
        return []
    if state.newest and not command.is_trusted:
        words = "Enrol a key first (assay key enrol): what governs is changed by known people only."
        raise Forbidden(Reason.REASON_KEY_NOT_ENROLLED, words)
    published = PolicyPublished(
        name=f"{command.policy}/versions/{number + 1}",
        number=number + 1,
        spec=spec,
        previous_spec=newest.spec if newest else None,
        digest=digest,
        founding=not state.newest,
    )
    return [published]


def evolve(state: Policies, event: PolicyPublished) -> Policies:
    """Return the state after `event`; a version that is not newer or not sealed does not count."""
    policy, _, number = event.name.rpartition("/versions/")
    newest = state.newest.get(policy)
    is_newer = event.number > (newest.number if newest else 0)
    if number != str(event.number) or not is_newer or not is_sealed(event.spec, event.digest):
        return state
    version = Version(event.name, event.number, event.digest, event.spec)
    return replace(
        state,
        newest={**state.newest, policy: version},
        versions={**state.versions, event.name: version},
    )


def governing(state: Policies, target: names.AliasName | names.StageName) -> tuple[Version, ...]:
    """Return the newest version of each policy that governs `target`, sorted by name."""
    found = (version for version in state.newest.values() if _governs(version.spec, target))
    return tuple(sorted(found, key=lambda version: version.name))


def _governs(spec: PolicySpec, target: names.AliasName | names.StageName) -> bool:
    match target:
        case names.AliasName(model=model, alias=alias):
            return _selects(spec.models, model) and _selects(spec.aliases, alias)
        case names.StageName(model=model, stage=stage):
            return _selects(spec.models, model) and _selects(spec.stages, stage)


def _selects(ids: Iterable[str], wanted: str) -> bool:
    return any(each in (ANY, wanted) for each in ids)


def _normal(spec: PolicySpec) -> PolicySpec:
    """Return the policy in the one form that its digest is of; refuse one that breaks a rule."""
    if not 1 <= spec.quorum <= MAX_QUORUM:
        raise bad_policy(f"Set the quorum to 1 to {MAX_QUORUM} people.", "quorum")
    if not spec.models:
        raise bad_policy("Name the models that it governs, or * for each.", "models")
    if not spec.stages and not spec.aliases:
        raise bad_policy("Name a stage or an alias that it governs, or * for each.", "stages")
    return PolicySpec(
        models=_ids(spec.models, names.model_id, "models"),
        stages=_ids(spec.stages, names.label, "stages"),
        aliases=_ids(spec.aliases, names.label, "aliases"),
        quorum=spec.quorum,
        description=unicodedata.normalize("NFC", spec.description),
    )


def _ids(ids: Iterable[str], parse: Callable[[str], str], field_name: str) -> list[str]:
    """Return the ids sorted, each once."""
    try:
        return sorted({each if each == ANY else parse(each) for each in ids})
    except names.MalformedName as error:
        raise bad_policy(str(error), field_name) from error


def newer_policy() -> Aborted:
    """Return the refusal of a version on top of one that is no longer the newest."""
    words = "Read the policy again and send its new etag: it was changed since it was read."
    return Aborted(Reason.REASON_ETAG_MISMATCH, words)


def bad_policy(message: str, field_name: str) -> Invalid:
    """Return the refusal of a policy that breaks a rule of its form."""
    return Invalid(Reason.REASON_BAD_POLICY, message, field=f"policy.spec.{field_name}")


POLICIES: Decider[PublishPolicy, Policies, PolicyPublished] = Decider(
    context="approval",
    aggregate="policies",
    initial=Policies(),
    decide=decide,
    evolve=evolve,
    events=(PolicyPublished,),
)
