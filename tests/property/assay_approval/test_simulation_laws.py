"""What a simulation tells, without verifying anything again, is what the plain way tells."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.approval.v1.events_pb2 import (
    ApprovalExpired,
    ApprovalRevoked,
    ApprovalSuspended,
    ApprovalVoided,
    ApprovalWithdrawn,
    BreakGlassReviewed,
    EvidenceAttached,
)
from assay.approval.v1.resources_pb2 import Condition, PolicySpec, Seat, Step
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.past import DECIDING, Told, replay
from assay_approval.domain.policies import Version
from assay_approval.domain.simulation import Trial
from assay_approval.projection import apply
from assay_approval.service.histories import history
from assay_approval.service.people import Roster, admits
from assay_approval.signatures import policy_digest
from assay_events import codec
from assay_events.envelope import Recorded
from assay_serve.directory import Directory
from tests.property.assay_approval.test_court_laws import (
    POLICIES,
    POLICY,
    Deed,
    Story,
    deeds,
    woven,
)
from tests.support import plain_simulation
from tests.support.scribe import DEPLOYMENT as LOG
from tests.unit.assay_approval.people import APPROVAL_NAME, NOW

ENDS: dict[str, Message] = {
    "withdraw": ApprovalWithdrawn(name=APPROVAL_NAME),
    "expire": ApprovalExpired(name=APPROVAL_NAME),
    "void": ApprovalVoided(name=APPROVAL_NAME),
    "suspend": ApprovalSuspended(name=APPROVAL_NAME),
    "revoke": ApprovalRevoked(name=APPROVAL_NAME),
    "review": BreakGlassReviewed(name=APPROVAL_NAME),
    "report": EvidenceAttached(name=APPROVAL_NAME, type="report", claims={"ok": "yes"}),
}
VALIDATION = Step(id="validation", seats=[Seat(role="validator", count=1)])
LENIENT = Step(id="validation", seats=[Seat(count=1)], survives_rejection=True)
REPORT = 'has(attached.report) && attached.report["ok"] == "yes"'

specs = st.builds(
    PolicySpec,
    models=st.sampled_from([["*"], ["churn"], ["other"]]),
    stages=st.just(["production"]),
    tiers=st.sampled_from([[], ["high"]]),
    quorum=st.integers(1, 3),
    steps=st.lists(st.sampled_from([VALIDATION, LENIENT, *POLICY.spec.steps]), max_size=2),
    conditions=st.lists(
        st.sampled_from(
            [
                Condition(id="report", expression=REPORT),
                Condition(id="size", expression="version.size_bytes < 10"),
            ]
        ),
        max_size=2,
    ),
)
names = st.sampled_from([POLICY.name.rpartition("/versions/")[0], "namespaces/default/policies/q"])
ends = st.sampled_from(sorted(ENDS))
others = st.lists(st.tuples(st.integers(0, 3), deeds), max_size=5)


def told(story: Story, directory: Directory) -> Iterator[Told]:
    """Yield the events as the read model has them: whether they hold says a row of their own."""
    for stored in story.store.messages:
        recorded = codec.decode(stored)
        event = recorded.event
        if isinstance(event, DECIDING) and admits(directory, recorded):
            yield Told(event, recorded.revision, recorded.time, has_row(recorded))


def has_row(recorded: Recorded) -> bool:
    return bool({w.table for w in apply(recorded)} & {"approval_requested", "signature"})


async def compare(script: list[Deed], after: dict[int, str], asked: Version) -> bool:
    """Play a story; return whether the policy makes another thing of it, told alike both ways."""
    story = Story()
    await story.begin()
    for number, deed in enumerate(script):
        if number in after:
            await story.scribe.write(ENDS[after[number]])
        await story.do(deed)
    directory = story.directory()
    stored = await story.store.read_subject(APPROVAL.subject(APPROVAL_NAME))
    steps = history(APPROVAL, stored, LOG, 0, partial(admits, directory))
    state = steps[-1].state
    closing = (s.recorded for s in steps if s.before.is_open and not s.state.is_open)
    closed = next(closing, None)
    people = Roster(directory, closed.time, closed.revision) if closed else Roster(directory, NOW)
    past = replay(told(story, directory))
    decided = (past.decided.revision, past.decided.time) if past.decided else None
    assert decided == ((closed.revision, closed.time) if closed else None)
    assert (past.request, past.acts) == (state.request, state.acts)
    assert past.outcome == plain_simulation.outcome([step.state for step in steps])
    plain = plain_simulation.would(state, asked, POLICIES.versions, people)
    assert Trial(asked, POLICIES.versions).would(past, people) == plain
    return plain[0] != past.outcome


@pytest.mark.requirement("W11")
@settings(max_examples=80, deadline=None)
@given(others.map(woven), st.dictionaries(st.integers(0, 7), ends, max_size=2), names, specs)
def test_a_simulation_equals_the_plain_count(
    script: list[Deed], after: dict[int, str], name: str, spec: PolicySpec
) -> None:
    asked = Version(f"{name}/versions/0", 0, policy_digest(spec), spec)
    asyncio.run(compare(script, after, asked))


def test_a_stricter_policy_flips_what_was_granted_and_the_same_policy_nothing() -> None:
    stricter = PolicySpec(models=["*"], stages=["production"], quorum=4)
    own = POLICY.name.rpartition("/versions/")[0]
    asked = Version(f"{own}/versions/0", 0, policy_digest(stricter), stricter)
    assert asyncio.run(compare(woven([]), {}, asked))
    assert not asyncio.run(compare(woven([]), {}, POLICY))
