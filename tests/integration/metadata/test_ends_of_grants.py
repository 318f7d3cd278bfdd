"""A grant that is suspended, resumed, void or over moves its version out, or in, exactly once."""

from collections import Counter
from uuid import uuid4

import pytest
from google.protobuf.message import Message

from assay.approval.v1.events_pb2 import (
    ApprovalExpired,
    ApprovalResumed,
    ApprovalSuspended,
    ApprovalVoided,
)
from assay.approval.v1.resources_pb2 import ApprovalState, OnEnd
from tests.integration.metadata.registry import DIGEST, Registry, eventually
from tests.integration.metadata.test_reactions import Case

WAS_GRANTED = ApprovalState.APPROVAL_STATE_GRANTED
WAS_OPEN = ApprovalState.APPROVAL_STATE_OPEN


async def moved_in(case: Case) -> None:
    """Have the version of the case hold its stage by its approval."""
    case.confirm()
    await case.write(case.granted)
    eventually(lambda: case.holder() == case.version)


async def moves(case: Case) -> Counter[str]:
    """Return how many events of each sort lie on the model's subject."""
    kinds = [type(each.event).__name__ for each in await case.recorded()]
    return Counter(kind for kind in kinds if kind.startswith(("Stage", "Grant")))


def suspended(case: Case) -> ApprovalSuspended:
    return ApprovalSuspended(name=case.approval, version=case.version, target=case.target)


def resumed(case: Case) -> ApprovalResumed:
    return ApprovalResumed(
        name=case.approval, version=case.version, target=case.target, manifest_digest=DIGEST
    )


@pytest.mark.requirement("W9")
async def test_a_suspended_version_is_out_and_a_resumed_one_in_again(registry: Registry) -> None:
    case = Case(registry)
    await moved_in(case)
    await case.write(suspended(case))
    eventually(lambda: not case.holder())
    await case.write(resumed(case))
    eventually(lambda: case.holder() == case.version)
    told = await moves(case)
    assert (told["StageSet"], told["StageUnset"]) == (2, 1)
    await case.write(suspended(case))
    eventually(lambda: not case.holder())


@pytest.mark.requirement("W8", "S9")
@pytest.mark.parametrize("kind", [ApprovalExpired, ApprovalVoided])
async def test_a_grant_that_is_over_or_void_takes_its_version_out_once(
    registry: Registry, kind: type[ApprovalExpired | ApprovalVoided]
) -> None:
    case = Case(registry)
    await moved_in(case)
    event: Message = kind(
        name=case.approval, version=case.version, target=case.target, previous_state=WAS_GRANTED
    )
    await case.write(event)
    eventually(lambda: not case.holder())
    await case.write(case.revoked)
    await case.write(event)
    other = Case(registry)
    await moved_in(other)  # by then the reaction has seen what was written before
    assert (await moves(case))["StageUnset"] == 1


@pytest.mark.requirement("W8")
async def test_an_approval_that_was_never_granted_moves_nothing_when_its_time_is_over(
    registry: Registry,
) -> None:
    case = Case(registry)
    await moved_in(case)
    unsigned = ApprovalExpired(
        name=f"namespaces/default/approvals/{uuid4()}",
        version=case.version,
        target=case.target,
        previous_state=WAS_OPEN,
    )
    await case.write(unsigned)
    other = Case(registry)
    await moved_in(other)
    assert case.holder() == case.version


@pytest.mark.requirement("W9")
async def test_the_last_good_version_comes_back_where_the_policy_says_so(
    registry: Registry,
) -> None:
    first = Case(registry)
    await moved_in(first)
    second = Case(registry)
    second.model, second.target = first.model, first.target
    second.version = registry.version(first.model).name
    await moved_in(second)
    revoked = second.revoked
    revoked.on_end = OnEnd.ON_END_PREVIOUS
    registry.neighbours.grants.pop((second.target, second.version, DIGEST))
    await second.write(revoked)
    eventually(lambda: first.holder() == first.version)


@pytest.mark.requirement("W9")
async def test_a_version_whose_own_grant_ended_does_not_come_back(registry: Registry) -> None:
    first = Case(registry)
    await moved_in(first)
    second = Case(registry)
    second.model, second.target = first.model, first.target
    second.version = registry.version(first.model).name
    await moved_in(second)
    registry.neighbours.grants.clear()
    revoked = second.revoked
    revoked.on_end = OnEnd.ON_END_PREVIOUS
    await second.write(revoked)
    eventually(lambda: second.has("StageUnset"))
    assert not first.holder()
