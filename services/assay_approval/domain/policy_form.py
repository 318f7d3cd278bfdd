"""The form of a policy: what it may say, and the one way of saying it that its digest is of."""

import re
import unicodedata
from collections.abc import Callable, Iterable, MutableSequence, Sequence
from typing import TypeVar

from assay import names
from assay.approval.v1.resources_pb2 import BreakGlass, Condition, PolicySpec, Seat, Step
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.conditions import BadCondition, compile_condition
from assay_approval.verdict import quorum_of
from assay_events.decider import Invalid

MAX_QUORUM = 64
MAX_BYTES = 20 * 1024
ANY = "*"
NO_TIER = "none"
_MAX_SECONDS = 10 * 366 * 24 * 3600
_T = TypeVar("_T")
_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def normal(spec: PolicySpec) -> PolicySpec:
    """Return the policy in the one form that its digest is of; refuse one that breaks a rule."""
    kept = PolicySpec()
    kept.CopyFrom(spec)
    _check_selectors(kept)
    _check_steps(kept)
    _check_conditions(kept.conditions)
    _check_times(kept)
    if kept.HasField("break_glass"):
        _check_break_glass(kept.break_glass)
    _ids_once(kept.reason_codes, "reason_codes")
    kept.description = unicodedata.normalize("NFC", kept.description)
    if kept.ByteSize() > MAX_BYTES:
        raise bad_policy(f"Shorten the policy: it is over {MAX_BYTES} bytes.", "description")
    return kept


def bad_policy(message: str, field_name: str) -> Invalid:
    """Return the refusal of a policy that breaks a rule of its form."""
    return Invalid(Reason.REASON_BAD_POLICY, message, field=f"policy.spec.{field_name}")


def _check_selectors(spec: PolicySpec) -> None:
    if not spec.models:
        raise bad_policy("Name the models that it governs, or * for each.", "models")
    if not spec.stages and not spec.aliases:
        raise bad_policy("Name a stage or an alias that it governs, or * for each.", "stages")
    _keep(spec.models, _ids(spec.models, names.model_id, "models"))
    _keep(spec.stages, _ids(spec.stages, names.label, "stages"))
    _keep(spec.aliases, _ids(spec.aliases, names.label, "aliases"))
    _ids_once(spec.tiers, "tiers")


def _check_steps(spec: PolicySpec) -> None:
    """Refuse steps that cannot be taken; without steps the quorum makes one."""
    if not spec.steps and not 1 <= spec.quorum <= MAX_QUORUM:
        raise bad_policy(f"Set the quorum to 1 to {MAX_QUORUM} people, or give steps.", "quorum")
    for place, step in enumerate(spec.steps):
        _check_step(step, f"steps[{place}]")
    _once([step.id for step in spec.steps], "steps")
    people = quorum_of(spec)
    if spec.steps and spec.quorum not in (0, people):
        raise bad_policy(f"Leave the quorum out: the seats add up to {people} people.", "quorum")
    if people > MAX_QUORUM:
        raise bad_policy(f"Ask for at most {MAX_QUORUM} people in all steps together.", "steps")
    spec.quorum = people


def _check_step(step: Step, where: str) -> None:
    _check_id(step.id, f"{where}.id")
    _check_seats(step.seats, f"{where}.seats")
    if 0 in step.independent_of:
        raise bad_policy("Name who a step is independent of.", f"{where}.independent_of")
    _keep(step.independent_of, sorted(set(step.independent_of)))


def _check_seats(seats: Sequence[Seat], where: str) -> None:
    if not seats:
        raise bad_policy("Say how many people must sign, and in which role.", where)
    for place, seat in enumerate(seats):
        if not 1 <= seat.count <= MAX_QUORUM:
            words = f"Set the count to 1 to {MAX_QUORUM} people."
            raise bad_policy(words, f"{where}[{place}].count")
        if seat.role:
            _check_id(seat.role, f"{where}[{place}].role")
    _once([seat.role for seat in seats], where)


def _check_conditions(conditions: Sequence[Condition]) -> None:
    for place, condition in enumerate(conditions):
        _check_id(condition.id, f"conditions[{place}].id")
        condition.description = unicodedata.normalize("NFC", condition.description)
        try:
            compile_condition(condition.id, condition.expression)
        except BadCondition as error:
            raise bad_policy(str(error), f"conditions[{place}].expression") from error
    _once([condition.id for condition in conditions], "conditions")


def _check_times(spec: PolicySpec) -> None:
    for name in ("valid_seconds", "recertify_before_seconds", "open_seconds"):
        if not 0 <= getattr(spec, name) <= _MAX_SECONDS:
            raise bad_policy("Give seconds from 0 to ten years.", name)
    if spec.recertify_before_seconds and not spec.recertify_before_seconds < spec.valid_seconds:
        words = "Set it below valid_seconds: a grant that never ends is never renewed."
        raise bad_policy(words, "recertify_before_seconds")


def _check_break_glass(way: BreakGlass) -> None:
    _check_seats(way.seats, "break_glass.seats")
    if not 1 <= way.review_seconds <= _MAX_SECONDS:
        words = "Say within how many seconds a break-glass grant is reviewed."
        raise bad_policy(words, "break_glass.review_seconds")
    if not 1 <= way.valid_seconds <= _MAX_SECONDS:
        words = "Say for how many seconds a break-glass grant holds."
        raise bad_policy(words, "break_glass.valid_seconds")


def _check_id(text: str, where: str) -> None:
    if not _ID.fullmatch(text):
        raise bad_policy(
            "Use lower-case letters, digits and hyphens, 1 to 63, a letter first.", where
        )


def _ids_once(ids: Iterable[str], where: str) -> None:
    """Refuse ids that are none, and those given twice."""
    for each in ids:
        _check_id(each, where)
    _once(list(ids), where)


def _once(ids: Sequence[str], where: str) -> None:
    if len(set(ids)) != len(ids):
        raise bad_policy("Give each once.", where)


def _ids(ids: Iterable[str], parse: Callable[[str], str], field_name: str) -> list[str]:
    """Return the ids sorted, each once."""
    try:
        return sorted({each if each == ANY else parse(each) for each in ids})
    except names.MalformedName as error:
        raise bad_policy(str(error), field_name) from error


def _keep(field: MutableSequence[_T], values: Iterable[_T]) -> None:
    """Put `values` in the place of what a repeated field holds."""
    kept = list(values)
    del field[:]
    field.extend(kept)
