"""Which signatures count on an approval, and how it stands: counted again, nothing believed.

Pure: rows of the log and the directory go in. The approval service's count is another one, on
purpose: what an auditor is told rests on the events alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from assay.approval.v1.resources_pb2 import ApprovalState
from assay_serve.directory import Directory
from assay_serve.rights import covers
from assay_trust.record import Meaning

State: TypeAlias = ApprovalState.ValueType
_OPEN = ApprovalState.APPROVAL_STATE_OPEN
_GRANTED = ApprovalState.APPROVAL_STATE_GRANTED
_SUSPENDED = ApprovalState.APPROVAL_STATE_SUSPENDED
_REJECTED = ApprovalState.APPROVAL_STATE_REJECTED
_RUNNING = frozenset({_OPEN, _GRANTED, _SUSPENDED})
_BEFORE: dict[State, frozenset[State]] = {
    _REJECTED: frozenset({_OPEN}),
    ApprovalState.APPROVAL_STATE_WITHDRAWN: frozenset({_OPEN}),
    ApprovalState.APPROVAL_STATE_EXPIRED: _RUNNING,
    ApprovalState.APPROVAL_STATE_VOIDED: _RUNNING,
    ApprovalState.APPROVAL_STATE_REVOKED: frozenset({_GRANTED, _SUSPENDED}),
    _SUSPENDED: frozenset({_GRANTED}),
}
_UNDECIDED = frozenset({_OPEN, _SUSPENDED, ApprovalState.APPROVAL_STATE_REVOKED})
_APPROVER = "approver:"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that holds by itself and covers what was asked for."""

    revision: int
    signer: str
    key: str
    public_key: bytes
    meaning: str
    step: str
    role: str
    delegator: str
    printed_name: str
    reason: str
    reason_code: str
    sign_time: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """An event that says how an approval stands from then on."""

    revision: int
    state: State
    time: datetime | None
    expire_time: datetime | None
    review_due_time: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What an approval asks for, as far as it is counted here."""

    submitter: str
    target: str
    quorum: int


@dataclass(slots=True)
class Verdict:
    """How an approval stands, by whose signatures."""

    state: State = _OPEN
    signers: Sequence[Signature] = ()
    rejections: Sequence[Signature] = ()
    reviews: Sequence[Signature] = ()
    grant: Outcome | None = None
    defect: str = ""


@dataclass(frozen=True, slots=True)
class _Moment:
    """When it is asked who had which role."""

    revision: int
    time: datetime


@dataclass(slots=True)
class _Count:
    """Takes the signatures in their order; one person counts once."""

    directory: Directory
    asked: Asked
    persons: set[str] = field(default_factory=set)

    def take(
        self, signatures: Iterable[Signature], meaning: Meaning, at: _Moment, after: int = 0
    ) -> list[Signature]:
        """Return those that count of one meaning."""
        found = []
        for each in signatures:
            person = self.directory.person(each.signer)
            is_new = person not in self.persons and each.revision > after
            if is_new and each.meaning == meaning and self._counts(each, at):
                self.persons.add(person)
                found.append(each)
        return found

    def _counts(self, signature: Signature, at: _Moment) -> bool:
        mine = (signature.signer, signature.delegator)
        people = {self.directory.person(each) for each in mine if each}
        if self.directory.person(self.asked.submitter) in people:
            return False
        return self.directory.could_sign(
            signature.signer, signature.key, signature.public_key, signature.revision
        ) and self._has_role(signature, at)

    def _has_role(self, signature: Signature, at: _Moment) -> bool:
        """Return whether the role was the signer's own, or lent by one whose it was."""
        if not self._holds(signature.signer, signature.role, signature.delegator, at):
            return False
        lender = signature.delegator
        return not lender or self._holds(lender, signature.role, "", at)

    def _holds(self, principal: str, role: str, delegator: str, at: _Moment) -> bool:
        return bool(role) and any(
            held.role == f"{_APPROVER}{role}"
            and held.delegator == delegator
            and covers(held.scope, self.asked.target)
            for held in self.directory.roles(principal, at.time, at.revision)
        )


def judge(
    directory: Directory,
    asked: Asked,
    signatures: Sequence[Signature],
    outcomes: Sequence[Outcome],
    now: tuple[int, datetime],
) -> Verdict:
    """Return how an approval stands at a revision, at a time; all rows are up to that revision."""
    decided = next((each for each in outcomes if each.state not in _UNDECIDED), None)
    at = _Moment(*now)
    if decided is not None:
        at = _Moment(decided.revision, decided.time or at.time)
    count = _Count(directory, asked)
    before = [each for each in signatures if each.revision <= at.revision]
    told = Verdict()
    told.rejections = _Count(directory, asked).take(before, Meaning.REJECTED, at)
    told.signers = count.take(before, Meaning.APPROVED, at)
    _settle(told, asked, outcomes)
    if told.grant is not None:
        after = told.grant.revision
        told.reviews = count.take(signatures, Meaning.REVIEWED, _Moment(*now), after)
    return told


def _settle(told: Verdict, asked: Asked, outcomes: Iterable[Outcome]) -> None:
    """Follow the outcomes in order; one that could not come just then changes nothing."""
    rejected = {each.revision for each in told.rejections}
    for outcome in outcomes:
        state = outcome.state
        if state == _GRANTED and told.state == _OPEN:
            told.state, told.grant = state, outcome
        elif (state == _GRANTED and told.state == _SUSPENDED) or (
            told.state in _BEFORE.get(state, ())
            and (state != _REJECTED or outcome.revision in rejected)
        ):
            told.state = state
    told.defect = _defect(told, asked)


def _defect(told: Verdict, asked: Asked) -> str:
    if told.grant is None:
        return "It was not granted."
    if len(told.signers) < asked.quorum:
        return f"{len(told.signers)} of {asked.quorum} signatures count."
    return ""
