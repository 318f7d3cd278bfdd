"""Strategies: any script of commands against one model."""

from dataclasses import replace

from hypothesis import strategies as st

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelFields
from assay.metadata.v1.resources_pb2 import ModelCard, StageGraph, StageRule
from assay.type.v1.metric_pb2 import Metric
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    ClaimName,
    Command,
    CreateModel,
    EndGrant,
    Entrant,
    MoveByGrant,
    RegisterVersion,
    RenameModel,
    RestoreModel,
    RestoreVersion,
    RollBack,
    SealVersion,
    SetStageGraph,
    SetTarget,
    UnsetTarget,
    UpdateModel,
    UpdateVersion,
)
from assay_metadata.domain.fields import CARD_SCHEMA

MODEL_NAME = "namespaces/default/models/churn"
DIGESTS = ["sha256:" + digit * 64 for digit in "ab"]

SHARED = StageGraph(
    rules=[StageRule(stage="a", max_holders=3), StageRule(stage="p", max_holders=2)]
)
STRICT = StageGraph(rules=[StageRule(stage="p", from_stages=["a"])])

model = st.just(MODEL_NAME)
numbers = st.integers(1, 5)
texts = st.sampled_from(["", "risk", "größer 😀", "x: y"])
tags = st.dictionaries(st.sampled_from(["team", "tier", "a/b"]), texts, max_size=3)
targets = st.sampled_from(
    [f"{MODEL_NAME}/{kind}" for kind in ("aliases/a", "aliases/b", "stages/a", "stages/p")]
)
owners = st.lists(st.sampled_from(["teams/risk", "teams/ops", "größer"]), unique=True, max_size=2)
tiers = st.sampled_from(["", "high", "low"])
cards = st.sampled_from([ModelCard(), ModelCard(schema=CARD_SCHEMA, purpose="größer 😀")])
fields = st.builds(
    ModelFields, description=texts, tags=tags, owners=owners, intended_use=texts, tier=tiers
)
fields_of_versions = st.one_of(
    st.builds(ModelFields, description=texts, tags=tags),
    st.builds(ModelFields, description=texts, card=cards.filter(lambda card: bool(card.schema))),
)
paths = st.frozensets(st.sampled_from(["description", "tags", "owners", "intended_use", "tier"]))
paths_of_versions = st.frozensets(st.sampled_from(["description", "tags", "card"]))
metrics = st.lists(
    st.builds(Metric, key=st.sampled_from(["auc", "loss"]), value=st.floats()), max_size=2
).map(tuple)


def approval(target: str, number: int, attempt: int) -> str:
    """Return an approval of this very move: each approval is for one version and one target."""
    return f"namespaces/default/approvals/{target.rpartition('models/')[2]}-{number}-{attempt}"


def by_hand(target: str, number: int, attempt: int, expected: int) -> SetTarget:
    """Return a move; attempt 0 is without a grant, and expected -1 expects nobody in particular."""
    return SetTarget(
        MODEL_NAME,
        target,
        number,
        is_governed=attempt > 1,
        approval=approval(target, number, attempt) if attempt else "",
        is_holder_expected=expected >= 0,
        expected_number=max(expected, 0),
    )


def by_grant(target: str, number: int, attempt: int, digest: str, reason: int) -> MoveByGrant:
    """Return the reaction to a grant; reason 0 means that the grant was confirmed."""
    refusal = Reason.REASON_NOT_GRANTED if reason else Reason.REASON_UNSPECIFIED
    grant = approval(target, number, attempt)
    return MoveByGrant(MODEL_NAME, target, number, grant, digest, refusal, "Not confirmed.")


def end(target: str, number: int, attempt: int) -> EndGrant:
    """Return the reaction to a revocation."""
    return EndGrant(MODEL_NAME, target, number, approval(target, number, attempt))


semantic_versions = st.sampled_from(["", "1.0.0", "1.0.1", "2.0.0-rc.1"])


def beside(target: str, number: int, weight: int, more: bool) -> SetTarget:
    """Return a move into a stage that may have several holders."""
    return SetTarget(
        MODEL_NAME,
        target,
        number,
        is_beside=True,
        weight=weight,
        is_previous_archived=more,
        namespace_graph=SHARED,
    )


def back(target: str, numbers: frozenset[int], attempt: int) -> RollBack:
    """Return a rollback that found these versions to have held before."""
    entrants = [
        Entrant(number, attempt > 1, approval(target, number, attempt) if attempt else "")
        for number in sorted(numbers)
    ]
    return RollBack(MODEL_NAME, target, tuple(entrants), namespace_graph=SHARED)


attempts = st.integers(1, 2)
stages = targets.filter(lambda name: "/stages/" in name)
registrations = st.builds(RegisterVersion, model, st.sampled_from(DIGESTS))
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(CreateModel, model, texts, tags, owners.map(tuple), texts, tiers),
    st.builds(RenameModel, model, st.sampled_from(["churn", "attrition", "größer 😀"])),
    st.builds(ClaimName, model, st.just("namespaces/default/models/other")),
    st.builds(UpdateModel, model, paths, fields),
    st.builds(ArchiveModel, model),
    st.builds(RestoreModel, model),
    registrations,
    st.builds(replace, registrations, metrics=metrics, params=tags, tags=tags),
    st.builds(replace, registrations, card=cards, semantic_version=semantic_versions),
    st.builds(RegisterVersion, model, st.just(""), is_draft=st.sampled_from([True])),
    st.builds(SealVersion, model, numbers, st.sampled_from(DIGESTS)),
    st.builds(UpdateVersion, model, numbers, paths_of_versions, fields_of_versions),
    st.builds(ArchiveVersion, model, numbers),
    st.builds(RestoreVersion, model, numbers),
    st.builds(by_hand, targets, numbers, st.integers(0, 2), st.integers(-1, 2)),
    st.builds(beside, stages, numbers, st.integers(0, 60), more=st.booleans()),
    st.builds(back, targets, st.frozensets(numbers, max_size=2), st.integers(0, 2)),
    st.builds(SetStageGraph, model, st.sampled_from([StageGraph(), SHARED, STRICT])),
    st.builds(UnsetTarget, model, targets),
    st.builds(by_grant, targets, numbers, attempts, st.sampled_from(DIGESTS), st.integers(0, 1)),
    st.builds(end, targets, numbers, attempts),
)
# Most scripts begin with a model that has a few versions: else nothing much happens.
opening: list[Command] = [
    CreateModel(MODEL_NAME),
    *(RegisterVersion(MODEL_NAME, digest) for digest in DIGESTS),
]
scripts = st.one_of(
    st.lists(commands, max_size=30),
    st.lists(commands, max_size=30).map(lambda rest: [*opening, *rest]),
)
