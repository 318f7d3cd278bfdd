"""The past of an aggregate, step by step: what answers are told from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from assay_events.decider import Decider, Event, State
from assay_events.envelope import Recorded, Stored
from assay_events.fold import Folded, take


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """One event of an aggregate, and its state just before and after."""

    recorded: Recorded
    before: State
    state: State

    @property
    def counts(self) -> bool:
        """Whether the event changed anything."""
        return self.state != self.before


def history(
    decider: Decider[Any, State, Event],
    stored: Sequence[Stored],
    deployment: str,
    up_to: int = 0,
    admits: Callable[[Recorded], bool] = lambda _: True,
) -> list[Step[State]]:
    """Return the valid events of an aggregate with the state before and after each.

    Up to a revision, where one is given; what `admits` refuses changes no state.
    """
    folded, steps = Folded(decider.initial), list[Step[State]]()
    for each in stored:
        if up_to and each.revision > up_to:
            break
        before = folded.state
        recorded = take(folded, decider, each, deployment)
        if recorded is not None:
            folded.state = folded.state if admits(recorded) else before
            steps.append(Step(recorded, before, folded.state))
    return steps


def last(steps: Sequence[Step[State]], decider: Decider[Any, State, Event]) -> State:
    """Return the state after the last of the steps."""
    return steps[-1].state if steps else decider.initial
