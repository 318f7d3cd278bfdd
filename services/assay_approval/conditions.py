"""Policy conditions: an expression in CEL, and whether it is true of a version.

Pure: the same expression and the same inputs give the same verdict, for ever. What is no expression
is refused when it is compiled; whatever goes wrong later is "not satisfied".
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay_approval.cel import compiled, facts, profile, spelling
from assay_approval.cel.compiled import Compiled, Fault
from assay_approval.cel.facts import Lineage, Scan
from assay_approval.cel.spelling import BadInputs, Value
from assay_trust import digests
from assay_trust.errors import TrustError


class BadCondition(TrustError):
    """The expression can't be a condition; the message says where and what to do."""

    def __init__(self, condition_id: str, what: str, line: int = 0, column: int = 0) -> None:
        where = f" at line {line}, column {column}" if line else ""
        super().__init__(f"Correct the condition {condition_id}{where}: {what}.")
        self.condition_id, self.line, self.column = condition_id, line, column


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition is satisfied, and why not, in a sentence."""

    satisfied: bool
    detail: str = ""


class Known(Protocol):
    """What a condition is evaluated on."""

    @property
    def values(self) -> Mapping[str, Value]:
        """The value of each variable that is known."""
        ...


@dataclass(frozen=True, slots=True)
class Inputs:
    """The value of each variable that is known; one that is left out satisfies nothing."""

    values: Mapping[str, Value]
    _data: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Spell the values; raise BadInputs for any that conditions can't read."""
        object.__setattr__(self, "_data", spelling.spell(self.values))

    @classmethod
    def of(
        cls,
        version: ModelVersion,
        model: Model,
        scan: Scan,
        lineage: Lineage,
        attached: Mapping[str, Mapping[str, str]],
        needed: Collection[str] = (),
    ) -> "Inputs":
        """Return inputs that fit an event: the longest variables not `needed` are left out."""
        values: dict[str, Value] = {
            **facts.of_version(version),
            **facts.of_model(model),
            **facts.of_scan(scan),
            **facts.of_lineage(lineage),
            "attached": attached,
        }
        known = {name: spelling.normal(value, name) for name, value in values.items()}
        return cls(facts.fitted(known, needed))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Inputs":
        """Return the inputs that `data` spells; raise BadInputs where it spells none."""
        inputs = cls(spelling.read(data))
        if inputs.to_bytes() != data:
            raise BadInputs(f"Give inputs of the form {spelling.VERSION}, and nothing else.")
        return inputs

    def to_bytes(self) -> bytes:
        """Return their one spelling, in canonical JSON."""
        return self._data

    @property
    def digest(self) -> str:
        """The digest of their one spelling."""
        return digests.sha256(self._data)

    def with_attached(self, attached: Mapping[str, Mapping[str, str]]) -> "Inputs":
        """Return the same with this evidence; raise BadInputs where that is over 64 KiB."""
        return Inputs({**self.values, "attached": spelling.normal(attached, "attached")})


@dataclass(frozen=True, slots=True)
class Excerpt:
    """As much of recorded inputs as is read, without the check that they are spelled rightly."""

    values: Mapping[str, Value]

    @classmethod
    def of(cls, data: bytes, variables: Collection[str]) -> "Excerpt":
        """Return these variables, as far as `data` has them; raise BadInputs where it has none."""
        return cls(spelling.excerpt(data, variables))

    def with_attached(self, attached: Mapping[str, Mapping[str, str]]) -> "Excerpt":
        """Return the same with this evidence."""
        return Excerpt({**self.values, "attached": spelling.normal(attached, "attached")})


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was compiled; `variables` are those that it reads."""

    id: str
    expression: str
    variables: frozenset[str]
    _compiled: Compiled = field(repr=False, compare=False)

    def evaluate(self, inputs: Known) -> Verdict:
        """Return whether it is true of the inputs; never raise."""
        absent = sorted(self.variables - inputs.values.keys())
        if absent:
            return _unsatisfied(facts.why_absent(absent[0]))
        read = {name: inputs.values[name] for name in self.variables}
        if self._compiled.costs_too_much(read):
            return _unsatisfied("It repeats too much: read less within all, exists, map or filter.")
        try:
            result = self._compiled.program.eval(data=read)
        except (RuntimeError, TypeError, ValueError) as error:
            return _unsatisfied(compiled.failure(str(error)))
        if result.type() == profile.ERROR:
            return _unsatisfied(self._compiled.failed(str(result.value()), read))
        if result.type() == profile.BOOL and result.value() is True:
            return Verdict(satisfied=True)
        return _unsatisfied(self._compiled.told(read))


def compile_condition(condition_id: str, expression: str) -> Condition:
    """Return the expression, ready to be evaluated; raise BadCondition where it is none."""
    try:
        ready = compiled.ready(expression)
    except Fault as fault:
        raise BadCondition(condition_id, fault.what, fault.line, fault.column) from fault
    return Condition(condition_id, expression, ready.variables, ready)


def _unsatisfied(detail: str) -> Verdict:
    return Verdict(satisfied=False, detail=detail)
