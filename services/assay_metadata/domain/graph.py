"""The stage graph: which moves are allowed, and how many versions may hold a stage at once."""

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import StageGraph, StageRule
from assay.names import label
from assay_events.decider import Invalid, Rejection
from assay_metadata.domain.state import Holders, Model, version_of

MOST_HOLDERS = 16
_ALL = 100


def parsed(graph: StageGraph) -> StageGraph:
    """Return a graph that makes sense, its names in NFC; refuse one that does not."""
    rules = [_parsed_rule(rule) for rule in graph.rules]
    stages = [rule.stage for rule in rules]
    for stage in stages:
        if stages.count(stage) > 1:
            raise _malformed(f"Give the stage {stage} one rule.")
    return StageGraph(rules=rules)


def rule_of(stage: str, own: StageGraph, of_namespace: StageGraph) -> StageRule:
    """Return the rule of a stage: the model's graph counts, or the namespace's if it has none."""
    rules = own.rules or of_namespace.rules
    return next((rule for rule in rules if rule.stage == stage), StageRule(stage=stage))


def may_have_several(rule: StageRule) -> bool:
    """Return whether versions may hold the stage beside each other."""
    return _most(rule) > 1


def check_origin(rule: StageRule, number: int, state: Model) -> None:
    """Refuse a version that holds none of the stages from which this one is entered."""
    held = {name.rpartition("/")[2] for name in state.held_by(number) if "/stages/" in name}
    if not rule.from_stages or held & set(rule.from_stages):
        return
    allowed = " or ".join(rule.from_stages)
    version = version_of(state.name, number)
    raise Rejection(
        Reason.REASON_MOVE_NOT_ALLOWED,
        f"Move {version} into {allowed} first: {rule.stage} is entered from there only.",
        version=version,
        stage=rule.stage,
        allowed=", ".join(rule.from_stages),
    )


def check_holders(rule: StageRule, after: Holders, before: Holders) -> None:
    """Refuse more holders than the stage may have, and more than the whole work for them."""
    most = _most(rule)
    if len(after) > max(most, len(before)):
        raise Rejection(
            Reason.REASON_TOO_MANY_HOLDERS,
            f"Let the version take the place of another: {rule.stage} may have {most} at once.",
            stage=rule.stage,
            max_holders=str(most),
        )
    total = sum(holder.weight for holder in after)
    if total and most == 1:
        raise Rejection(
            Reason.REASON_TOO_MANY_HOLDERS,
            f"Leave the weight away: {rule.stage} may have one holder.",
            stage=rule.stage,
            max_holders="1",
        )
    if total > _ALL:
        raise Rejection(
            Reason.REASON_WEIGHT_EXCEEDED,
            f"Lower a weight first: the holders of {rule.stage} would have {total} % of the work.",
            stage=rule.stage,
            total=str(total),
        )


def check_weight(weight: int) -> None:
    """Refuse what is no share in percent."""
    if not 0 <= weight <= _ALL:
        raise Invalid(
            Reason.REASON_MALFORMED, f"Give a weight from 0 to 100; {weight} is none.", "weight"
        )


def _parsed_rule(rule: StageRule) -> StageRule:
    stage, origins = label(rule.stage), [label(origin) for origin in rule.from_stages]
    if stage in origins:
        raise _malformed(f"Name other stages than {stage} in its from_stages.")
    if len(set(origins)) != len(origins):
        raise _malformed(f"Name each of the from_stages of {stage} once.")
    if not 0 <= rule.max_holders <= MOST_HOLDERS:
        raise _malformed(f"Allow {stage} 1 to {MOST_HOLDERS} holders, not {rule.max_holders}.")
    return StageRule(stage=stage, from_stages=origins, max_holders=rule.max_holders)


def _most(rule: StageRule) -> int:
    return max(rule.max_holders, 1)


def _malformed(message: str) -> Invalid:
    return Invalid(Reason.REASON_MALFORMED, message, "graph")
