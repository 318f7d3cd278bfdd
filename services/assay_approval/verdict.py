"""How far an approval is: one count, for the rules, for CheckGrant, for readers and simulations.

Pure: what was asked, what was signed, and who has which role go in; the standing of each seat comes
out. Rules and projection may not import each other; both import this.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assay.approval.v1.events_pb2 import ApprovalRequested
from assay.approval.v1.resources_pb2 import Independence, PolicySpec, Seat, Step

DEFAULT_STEP = "approval"
BREAK_GLASS_STEP = "break-glass"


@dataclass(frozen=True, slots=True)
class Act:
    """One person's signature on an approval, which holds by itself; no key where none was made."""

    signer: str
    step: str
    role: str
    delegator: str
    is_approval: bool
    key: str = ""


class People(Protocol):
    """Who is who, and may sign in which role."""

    def person(self, principal: str) -> str:
        """Return one name for all accounts of a person."""
        ...

    def may_sign(self, act: Act, target: str) -> bool:
        """Return whether the key is in force, and the role of the act is the signer's, or lent."""
        ...


@dataclass(frozen=True, slots=True)
class SeatCount:
    """One seat of one step of one policy, and whose signatures count there."""

    policy: str
    step: str
    role: str
    count: int
    signers: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def is_full(self) -> bool:
        """Whether enough people signed."""
        return len(self.signers) >= self.count


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far an approval is, and the people whose signatures count anywhere."""

    seats: tuple[SeatCount, ...]
    signers: tuple[str, ...] = ()
    is_rejected: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether each seat of each policy is full, and nobody closed it by a rejection."""
        return bool(self.seats) and not self.is_rejected and all(s.is_full for s in self.seats)


@dataclass(frozen=True, slots=True)
class Reading:
    """What counting an act came to: where it counts, or why nowhere."""

    policies: tuple[str, ...] = ()
    fault: str = ""


@dataclass(slots=True)
class _Track:
    """One policy's way: its steps, and who signed each seat so far."""

    policy: str
    steps: Sequence[Step]
    at: int = 0
    signers: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    @property
    def step(self) -> Step | None:
        """The step that is open, None where all are complete."""
        return self.steps[self.at] if self.at < len(self.steps) else None

    def seat_for(self, act: Act) -> int:
        """Return the first seat of the open step that the act may take, -1 for none."""
        step = self.step
        if step is None or (act.step != step.id and any(s.id == act.step for s in self.steps)):
            return -1
        fitting = (
            place
            for place, seat in enumerate(step.seats)
            if seat.role in ("", act.role) and len(self.taken(place)) < seat.count
        )
        # A seat for one role before a seat for any, so that no act takes what another needs.
        return min(fitting, key=lambda place: step.seats[place].role == "", default=-1)

    def taken(self, place: int) -> list[str]:
        """Return who signed one seat of the open step."""
        return self.signers.setdefault((self.at, place), [])

    def take(self, place: int, signer: str) -> None:
        """Count a signature, and open the next step where this one is complete."""
        self.taken(place).append(signer)
        step = self.steps[self.at]
        if all(len(self.taken(n)) >= seat.count for n, seat in enumerate(step.seats)):
            self.at += 1

    def seats(self) -> Iterable[SeatCount]:
        """Yield each seat of each step with who signed it."""
        for at, step in enumerate(self.steps):
            for place, seat in enumerate(step.seats):
                signers = tuple(self.signers.get((at, place), ()))
                yield SeatCount(
                    self.policy, step.id, seat.role, seat.count, signers, is_open=at == self.at
                )


def count(request: ApprovalRequested, acts: Iterable[Act], people: People) -> Verdict:
    """Return how far the approval is with these acts, in their order."""
    counting = Counting(request, people)
    for act in acts:
        counting.add(act)
    return counting.verdict()


class Counting:
    """Counts one act after the other."""

    def __init__(self, request: ApprovalRequested, people: People) -> None:
        self._request, self._people = request, people
        self._tracks = [
            _Track(policy.name, steps_of(spec, is_break_glass=request.is_break_glass))
            for policy, spec in zip(request.policies, request.specs, strict=False)
        ]
        self._step_ids = {step.id for track in self._tracks for step in track.steps}
        self._signers = dict[str, str]()  # by person
        self._is_rejected = len(self._tracks) != len(request.policies) or any(
            not step.seats for track in self._tracks for step in track.steps
        )

    def add(self, act: Act) -> Reading:
        """Count an act where it fits, and say where, or why nowhere."""
        reading = self.read(act)
        if reading.fault:
            return reading
        self._signers[self._people.person(act.signer)] = act.signer
        for track in self._tracks:
            if track.policy in reading.policies:
                self._take(track, act)
        return reading

    def read(self, act: Act) -> Reading:
        """Say where an act would count; change nothing."""
        if not self._people.may_sign(act, self._request.target):
            return Reading(fault="role")
        if self._people.person(act.signer) in self._signers:
            return Reading(fault="again")
        if self._is_submitter(act):
            return Reading(fault="submitter")
        if act.step not in self._step_ids:
            return Reading(fault="step")
        fitting = [track for track in self._tracks if track.seat_for(act) >= 0]
        free = [track for track in fitting if self._is_independent(track, act)]
        if fitting and not free:
            return Reading(fault="independence")
        return Reading(tuple(track.policy for track in free), "" if free else "step")

    def verdict(self) -> Verdict:
        """Return how far the approval is."""
        seats = tuple(seat for track in self._tracks for seat in track.seats())
        return Verdict(seats, tuple(self._signers.values()), self._is_rejected)

    def open_steps(self) -> Sequence[tuple[str, Step]]:
        """Return the step that is open under each policy that is not complete."""
        return [(track.policy, track.step) for track in self._tracks if track.step is not None]

    def _take(self, track: _Track, act: Act) -> None:
        step = track.step
        if act.is_approval:
            track.take(track.seat_for(act), act.signer)
        elif step is not None and not step.survives_rejection:
            self._is_rejected = True

    def _is_submitter(self, act: Act) -> bool:
        return self._is_one_of(act, [self._request.submitter])

    def _is_independent(self, track: _Track, act: Act) -> bool:
        step = track.step
        asked = step.independent_of if step is not None else ()
        barred = list[str]()
        if Independence.INDEPENDENCE_REGISTRANT in asked:
            barred.append(self._request.registrant)
        if Independence.INDEPENDENCE_TRAINER in asked:
            barred.extend(self._request.trainers)
        return not self._is_one_of(act, barred)

    def _is_one_of(self, act: Act, principals: Iterable[str]) -> bool:
        """Return whether the signer, or whom the role is lent by, is one of these people."""
        barred = {self._people.person(principal) for principal in principals if principal}
        mine = {self._people.person(each) for each in (act.signer, act.delegator) if each}
        return bool(barred & mine)


def steps_of(spec: PolicySpec, *, is_break_glass: bool = False) -> Sequence[Step]:
    """Return the steps of a policy, in order; one for `quorum` approvers where it names none."""
    if is_break_glass:
        return [Step(id=BREAK_GLASS_STEP, seats=spec.break_glass.seats)]
    if spec.steps:
        return list(spec.steps)
    return [Step(id=DEFAULT_STEP, seats=[Seat(count=spec.quorum)])]


def quorum_of(spec: PolicySpec, *, is_break_glass: bool = False) -> int:
    """Return how many distinct people must sign under a policy."""
    steps = steps_of(spec, is_break_glass=is_break_glass)
    return sum(seat.count for step in steps for seat in step.seats)


def valid_seconds(specs: Iterable[PolicySpec], *, is_break_glass: bool = False) -> int:
    """Return for how long a grant under policies holds at most, 0 for ever."""
    ways = (spec.break_glass if is_break_glass else spec for spec in specs)
    return min((way.valid_seconds for way in ways if way.valid_seconds), default=0)


def pinned(spec: PolicySpec) -> PolicySpec:
    """Return what an approval keeps of a policy: all but its conditions and description."""
    kept = PolicySpec()
    kept.CopyFrom(spec)
    kept.ClearField("conditions")
    kept.ClearField("description")
    return kept
