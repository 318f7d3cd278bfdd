"""Policies as people write them, in YAML: every part of a PolicySpec, durations as 365d or 24h."""

from pathlib import Path

from assay.approval.v1.approval_service_pb2 import PublishPolicyRequest
from assay.approval.v1.resources_pb2 import (
    INDEPENDENCE_REGISTRANT,
    INDEPENDENCE_TRAINER,
    ON_END_OUT,
    ON_END_PREVIOUS,
    ON_END_UNSPECIFIED,
    BreakGlass,
    Condition,
    Independence,
    OnEnd,
    Policy,
    PolicySpec,
    Seat,
    Step,
)
from assay.cli import durations
from assay.cli.documents import Document, read
from assay.names import MalformedName, slug

_FIELDS = (
    "name",
    "description",
    "models",
    "stages",
    "aliases",
    "tiers",
    "quorum",
    "steps",
    "conditions",
    "valid_for",
    "recertify_before",
    "open_for",
    "reason_codes",
    "break_glass",
    "on_end",
)
_INDEPENDENT_OF: dict[str, Independence.ValueType] = {
    "registrant": INDEPENDENCE_REGISTRANT,
    "trainer": INDEPENDENCE_TRAINER,
}
_ON_END: dict[str, OnEnd.ValueType] = {
    "": ON_END_UNSPECIFIED,
    "out": ON_END_OUT,
    "previous": ON_END_PREVIOUS,
}
_MAX_QUORUM = 64


def requests_of(file: Path, namespace: str, reason: str) -> list[PublishPolicyRequest]:
    """Return what publishes each policy of a YAML file; nothing is sent if one is wrong."""
    return [
        PublishPolicyRequest(
            parent=f"namespaces/{namespace}",
            policy=Policy(spec=_spec(document)),
            policy_id=_id(document, "name"),
            reason=reason,
        )
        for document in read(file)
    ]


def _spec(document: Document) -> PolicySpec:
    document.only(*_FIELDS)
    spec = PolicySpec(
        models=document.texts("models", required=True),
        stages=document.texts("stages"),
        aliases=document.texts("aliases"),
        tiers=document.texts("tiers"),
        description=document.text("description"),
        steps=[_step(step) for step in document.parts("steps")],
        conditions=[_condition(condition) for condition in document.parts("conditions")],
        valid_seconds=_seconds(document, "valid_for"),
        recertify_before_seconds=_seconds(document, "recertify_before"),
        open_seconds=_seconds(document, "open_for"),
        reason_codes=document.texts("reason_codes"),
        on_end=_on_end(document),
    )
    if "break_glass" in document.fields:
        spec.break_glass.CopyFrom(_break_glass(document.part("break_glass")))
    if not spec.stages and not spec.aliases:
        raise document.wrong("stages", "or aliases must name at least one")
    if not spec.steps or "quorum" in document.fields:
        spec.quorum = _people(document, "quorum")
    return spec


def _step(document: Document) -> Step:
    document.only("id", "seats", "independent_of", "survives_rejection")
    return Step(
        id=_id(document, "id"),
        seats=_seats(document),
        independent_of=[_independence(document, word) for word in document.texts("independent_of")],
        survives_rejection=document.flag("survives_rejection"),
    )


def _seats(document: Document) -> list[Seat]:
    seats = document.parts("seats")
    if not seats:
        raise document.wrong("seats", "must say who signs, as in [{role: validator, count: 1}]")
    return [_seat(seat) for seat in seats]


def _seat(document: Document) -> Seat:
    document.only("role", "count")
    role = document.text("role").removeprefix("approver:")
    return Seat(role=role, count=_people(document, "count") if "count" in document.fields else 1)


def _condition(document: Document) -> Condition:
    document.only("id", "expression", "description", "may_follow")
    return Condition(
        id=_id(document, "id"),
        expression=document.text("expression", required=True),
        description=document.text("description"),
        may_follow=document.flag("may_follow"),
    )


def _break_glass(document: Document) -> BreakGlass:
    document.only("seats", "review_within", "valid_for")
    return BreakGlass(
        seats=_seats(document),
        review_seconds=_seconds(document, "review_within"),
        valid_seconds=_seconds(document, "valid_for"),
    )


def _independence(document: Document, word: str) -> Independence.ValueType:
    if word not in _INDEPENDENT_OF:
        known = " or ".join(_INDEPENDENT_OF)
        raise document.wrong("independent_of", f"must be {known}; who asked never counts")
    return _INDEPENDENT_OF[word]


def _on_end(document: Document) -> OnEnd.ValueType:
    word = document.text("on_end")
    if word not in _ON_END:
        raise document.wrong("on_end", "must be out or previous")
    return _ON_END[word]


def _seconds(document: Document, name: str) -> int:
    if name not in document.fields:
        return 0
    seconds = durations.seconds_of(document.scalar(name))
    if not seconds:
        raise document.wrong(name, durations.FORM)
    return seconds


def _people(document: Document, name: str) -> int:
    count = document.whole(name)
    if not 1 <= count <= _MAX_QUORUM:
        raise document.wrong(name, f"must be 1 to {_MAX_QUORUM} people")
    return count


def _id(document: Document, name: str) -> str:
    try:
        return slug(document.text(name, required=True))
    except MalformedName as error:
        raise document.wrong(
            name, "must be 1 to 63 lower-case letters, digits and hyphens"
        ) from error
