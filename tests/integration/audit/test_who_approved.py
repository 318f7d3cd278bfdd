"""Who approved what was where, as of any moment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from uuid import uuid4

import pytest

from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
)
from assay.approval.v1.resources_pb2 import ApprovalState as State
from assay.approval.v1.resources_pb2 import PolicyRef
from assay.audit.v1.audit_service_pb2 import WhoApprovedRequest, WhoApprovedResponse
from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import (
    AliasSet,
    ModelVersionRegistered,
    StageHoldersSet,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import StageHolder
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay.type.v1.moment_pb2 import Moment
from assay_audit.service.log import AuditService
from assay_events import token
from assay_events.decider import Invalid, NotFound
from assay_trust import digests
from assay_trust.record import Meaning
from tests.support.read_model import Following
from tests.support.scribe import ANN, Scribe
from tests.support.signing import ROLE, Person

CHURN = "namespaces/default/models/churn"
STAGE = f"{CHURN}/stages/production"
POLICY = "namespaces/default/policies/production/versions/2"
METADATA = Actor(principal="services/metadata", kind=ActorKind.ACTOR_KIND_SERVICE)
SUBMITTER = "principals/55555555-5555-4555-8555-555555555555"


def digest(number: int) -> str:
    return "sha256:" + f"{number:02x}" * 32


@dataclass
class Story:
    """Writes what happens, and asks about it."""

    scribe: Scribe
    log: Following
    audit: AuditService
    bob: Person = field(default_factory=lambda: Person("Bob Brown"))
    eve: Person = field(default_factory=lambda: Person("Eve Evans"))

    async def begin(self) -> None:
        for person in (self.bob, self.eve):
            await self.scribe.write(person.enrolled)
            await self.scribe.write(person.appointed())
        for number in (1, 2):
            await self.scribe.write(registered(number))

    async def approve(self, number: int, *signatures: ApprovalSigned) -> ApprovalRequested:
        asked = requested(number)
        await self.scribe.write(asked)
        for signed in signatures or (self.eve.sign(asked), self.bob.sign(asked)):
            await self.scribe.write(signed)
        await self.scribe.write(granted(asked))
        return asked

    async def move(self, asked: ApprovalRequested) -> int:
        event = StageSet(name=STAGE, version=asked.version, approval=asked.name)
        return await self.scribe.write(event, METADATA)

    async def ask(self, name: str = STAGE, revision: int = 0) -> WhoApprovedResponse:
        await self.log.reach(await self.scribe.stores["audit"].last_revision())
        moment = Moment(revision=revision) if revision else Moment()
        return await self.audit.WhoApproved(WhoApprovedRequest(name=name, as_of=moment), None)


@pytest.fixture
async def story(scribe: Scribe, log: Following, audit: AuditService) -> Story:
    story = Story(scribe, log, audit)
    await story.begin()
    return story


def registered(number: int) -> ModelVersionRegistered:
    name = f"{CHURN}/versions/{number}"
    return ModelVersionRegistered(name=name, number=number, manifest_digest=digest(number))


def granted(asked: ApprovalRequested) -> ApprovalGranted:
    return ApprovalGranted(
        name=asked.name,
        version=asked.version,
        manifest_digest=asked.manifest_digest,
        target=asked.target,
    )


def requested(number: int) -> ApprovalRequested:
    evidence = b'{"metrics":{}}'
    return ApprovalRequested(
        name=f"namespaces/default/approvals/{uuid4()}",
        version=f"{CHURN}/versions/{number}",
        manifest_digest=digest(number),
        target=STAGE,
        policies=[PolicyRef(name=POLICY, digest=digest(9))],
        quorum=2,
        submitter=SUBMITTER,
        nonce=uuid4().hex * 2,
        evidence=evidence,
        evidence_digest=digests.sha256(evidence),
    )


async def test_the_auditor_is_told_who_let_it_in(story: Story) -> None:
    asked = await story.approve(1)
    moved = await story.move(asked)
    told = await story.ask()
    assert told.version == f"{CHURN}/versions/1"
    assert told.manifest_digest == digest(1)
    assert told.revision == moved
    stored = await story.scribe.stores["audit"].read_subject((await last_subject(story)), moved - 1)
    envelope = Envelope.FromString(stored[0].body)
    assert told.enter_time == envelope.time
    assert told.actor == "services/metadata"
    assert told.approval == asked.name
    assert told.submitter == SUBMITTER
    assert [signer.principal for signer in told.signers] == [story.eve.name, story.bob.name]
    assert [signer.printed_name for signer in told.signers] == ["Eve Evans", "Bob Brown"]
    assert [signer.key for signer in told.signers] == [story.eve.key, story.bob.key]
    assert all(signer.sign_time.ToDatetime(tzinfo=UTC).microsecond == 0 for signer in told.signers)
    assert [signer.revision for signer in told.signers] == [moved - 3, moved - 2]
    assert told.policies == [POLICY]
    assert told.registrant == ANN.principal
    assert [(signer.step, signer.role) for signer in told.signers] == [("approval", ROLE)] * 2
    assert {signer.reason_code for signer in told.signers} == {"reviewed"}
    assert (told.state, told.quorum, told.defect) == (State.APPROVAL_STATE_GRANTED, 2, "")
    assert told.evidence_digest == asked.evidence_digest
    assert not told.is_revoked
    assert told.as_of_revision == moved
    assert token.decode(told.consistency_token) == moved


async def test_the_answer_changes_at_the_very_revision(story: Story) -> None:
    first = await story.move(await story.approve(1))
    second_approval = await story.approve(2)
    second = await story.move(second_approval)
    await story.scribe.write(ApprovalRevoked(name=second_approval.name))
    revoked = await story.scribe.stores["audit"].last_revision()
    gone = await story.scribe.write(StageUnset(name=STAGE), METADATA)

    expected: dict[int, tuple[str, bool]] = {
        first - 1: ("", False),
        first: (f"{CHURN}/versions/1", False),
        second - 1: (f"{CHURN}/versions/1", False),
        second: (f"{CHURN}/versions/2", False),
        revoked - 1: (f"{CHURN}/versions/2", False),
        revoked: (f"{CHURN}/versions/2", True),
        gone: ("", False),
    }
    for revision, (version, is_revoked) in expected.items():
        told = await story.ask(revision=revision)
        assert (told.version, told.is_revoked) == (version, is_revoked), revision
        assert told.as_of_revision == revision
        assert len(told.signers) == (2 if version else 0)
    assert await story.log.rebuilder.check() == []
    await story.log.rebuilder.rebuild()
    assert (await story.ask(revision=second)).version == f"{CHURN}/versions/2"


async def test_an_alias_that_no_policy_governs_was_approved_by_nobody(story: Story) -> None:
    alias = f"{CHURN}/aliases/champion"
    moved = await story.scribe.write(AliasSet(name=alias, version=f"{CHURN}/versions/2"))
    told = await story.ask(alias)
    assert told.version == f"{CHURN}/versions/2"
    assert told.revision == moved
    assert told.actor == ANN.principal
    assert not told.approval
    assert not told.signers
    assert not told.policies


async def test_what_was_never_set_is_held_by_nothing(story: Story) -> None:
    told = await story.ask(f"{CHURN}/stages/staging")
    assert not told.version
    assert told.as_of_revision == await story.scribe.stores["audit"].last_revision()


async def test_a_model_that_never_was_is_not_found(story: Story) -> None:
    with pytest.raises(NotFound):
        await story.ask("namespaces/default/models/chrun/stages/production")


Change = Callable[[ApprovalRequested], None]
CHANGES: dict[str, Change] = {
    "another version": lambda asked: setattr(asked, "version", f"{CHURN}/versions/2"),
    "another digest": lambda asked: setattr(asked, "manifest_digest", digest(7)),
    "another target": lambda asked: setattr(asked, "target", f"{CHURN}/stages/other"),
    "another nonce": lambda asked: setattr(asked, "nonce", "ab" * 32),
    "another evidence": lambda asked: setattr(asked, "evidence_digest", digest(7)),
    "another policy": lambda asked: setattr(asked.policies[0], "digest", digest(7)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_signature_for_something_else_is_nobodys(story: Story, change: Change) -> None:
    asked = requested(1)
    await story.scribe.write(asked)
    other = ApprovalRequested()
    other.CopyFrom(asked)
    change(other)
    await story.scribe.write(story.bob.sign(other))
    await story.scribe.write(story.eve.sign(asked))
    await story.move(asked)
    told = await story.ask()
    assert [signer.principal for signer in told.signers] == [story.eve.name]


async def test_who_may_not_sign_is_no_signer(story: Story) -> None:
    asked = requested(1)
    stranger, gone = Person("Stranger"), Person("Gone")
    await story.scribe.write(gone.enrolled)
    await story.scribe.write(gone.appointed())
    await story.scribe.write(asked)
    await story.scribe.write(gone.revoked)
    await story.scribe.write(stranger.sign(asked))
    await story.scribe.write(gone.sign(asked))
    await story.scribe.write(story.bob.sign(asked, Meaning.REJECTED))
    await story.scribe.write(story.eve.sign(asked))
    await story.scribe.write(story.eve.sign(asked))
    await story.move(asked)
    told = await story.ask()
    assert [signer.principal for signer in told.signers] == [story.eve.name]


async def test_a_key_that_is_revoked_later_takes_nothing_back(story: Story) -> None:
    await story.move(await story.approve(1))
    await story.scribe.write(story.bob.revoked)
    told = await story.ask()
    assert len(told.signers) == 2


async def test_each_of_several_holders_has_signers_of_its_own(story: Story) -> None:
    first, second = await story.approve(1), await story.approve(2)
    holders = [StageHolder(version=a.version, approval=a.name, weight=50) for a in (first, second)]
    await story.move(first)
    event = StageHoldersSet(name=STAGE, holders=holders, previous_holders=holders[:1])
    both = await story.scribe.write(event, METADATA)
    told = await story.ask()
    assert (told.version, told.approval) == (first.version, first.name)
    assert told.revision < both
    assert list(told.other_versions) == [second.version]
    request = WhoApprovedRequest(name=STAGE, version=second.version)
    other = await story.audit.WhoApproved(request, None)
    assert (other.version, other.approval, other.revision) == (second.version, second.name, both)
    assert list(other.other_versions) == [first.version]
    assert len(told.signers) == len(other.signers) == 2
    request.version = f"{CHURN}/versions/3"
    assert not (await story.audit.WhoApproved(request, None)).version
    emptied = StageHoldersSet(name=STAGE, previous_holders=holders)
    await story.scribe.write(emptied, METADATA)
    assert not (await story.ask()).version
    assert await story.log.rebuilder.check() == []


async def test_a_move_that_broke_a_rule_of_admission_moves_nothing(story: Story) -> None:
    moved = await story.move(await story.approve(1))
    event = StageSet(name=STAGE, version=f"{CHURN}/versions/2")
    await story.scribe.write(event, source="services/approval")
    told = await story.ask()
    assert told.version == f"{CHURN}/versions/1"
    assert told.revision == moved


@pytest.mark.parametrize("name", [CHURN, f"{CHURN}/versions/1", f"{CHURN}/stages/a/b", "x"])
async def test_only_a_stage_or_alias_is_asked_about(audit: AuditService, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await audit.WhoApproved(WhoApprovedRequest(name=name), None)
    assert refusal.value.field == "name"


async def last_subject(story: Story) -> str:
    subjects = list[str]()
    async for batch in story.scribe.stores["audit"].read(0, follow=False):
        subjects += [stored.nats_subject for stored in batch]
    return subjects[-1]
