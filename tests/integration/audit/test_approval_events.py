"""Every event of approvals in the log, and what is told of an approval after each of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message

from assay.approval.v1 import events_pb2 as events
from assay.approval.v1.resources_pb2 import ApprovalState, PolicySpec
from assay.audit.v1.audit_service_pb2 import ListLogEntriesRequest, WhoApprovedResponse
from assay.endorsements import key_subject, role_subject
from assay_audit.service.log import AuditService
from assay_trust.record import Meaning, Named
from tests.integration.audit.test_who_approved import (
    POLICY,
    SUBMITTER,
    Story,
    digest,
    granted,
    registered,
    requested,
)
from tests.support.authenticator import Authenticator
from tests.support.read_model import Following
from tests.support.scribe import Scribe
from tests.support.signing import ROLE, Person, personal_text

ALL = events.DESCRIPTOR.message_types_by_name
END = datetime(2100, 1, 1, tzinfo=UTC)
ASKED = requested(1)
BOB, EVE, DAN = Person("Bob"), Person("Eve", passkey=Authenticator()), Person("Dan")


def named(event: Message, person: Person = DAN) -> Message:
    """Return an event about a principal, by its resource name."""
    setattr(event, "name", person.name)  # noqa: B010 - every event has one
    return event


def examples() -> Mapping[str, Message]:
    """Return a valid event of each type, in an order in which they may come."""
    enrolled = DAN.enrolled
    proposed = events.KeyProposed(
        name=enrolled.name,
        public_key=enrolled.public_key,
        record=enrolled.record,
        signature=enrolled.signature,
    )
    enrolled.founding = False
    enrolled.endorsement.CopyFrom(BOB.endorse(key_subject(enrolled)))
    role = events.RoleProposed(
        name=f"{DAN.name}/roles/{'a' * 32}", role=f"approver:{ROLE}", scope="namespaces/default"
    )
    given = events.RoleGranted(name=role.name, role=role.role, scope=role.scope)
    given.endorsement.CopyFrom(EVE.endorse(role_subject(role)))
    spec = PolicySpec(models=["*"], stages=["production"], quorum=2)
    policy = {"name": POLICY, "number": 2, "spec": spec, "digest": digest(9)}
    published = events.PolicyPublished(**policy)  # type: ignore[arg-type]  # of several types
    published.endorsement.CopyFrom(BOB.endorse(Named(POLICY, digest(9))))
    name = ASKED.name
    found: list[Message] = [
        named(events.PrincipalCreated()),
        proposed,
        enrolled,
        events.KeyClaimed(name=f"keys/{'ab' * 32}/{DAN.name}", public_key=DAN.public_key),
        role,
        given,
        named(events.PrincipalLinked(other=SUBMITTER)),
        events.RoleRemoved(name=role.name, role=role.role, scope=role.scope),
        events.KeyRevoked(name=enrolled.name, public_key=DAN.public_key),
        events.PolicyProposed(**policy),  # type: ignore[arg-type]  # of several types
        published,
        ASKED,
        events.ApprovalCommented(name=name, author=BOB.name, text=personal_text("Well done.")),
        events.EvidenceAttached(name=name, type="bias-report", attacher=BOB.name),
        BOB.act(events.ApprovalRejected(), ASKED, Meaning.REJECTED),
        EVE.sign(ASKED),
        granted(ASKED),
        events.RecertificationDue(name=name),
        events.ApprovalSuspended(name=name),
        events.ApprovalResumed(name=name),
        BOB.act(events.BreakGlassReviewed(), ASKED, Meaning.REVIEWED),
        events.ApprovalWithdrawn(name=name),
        events.ApprovalRevoked(name=name),
        events.ApprovalExpired(name=name),
        events.ApprovalVoided(name=name),
    ]
    return {event.DESCRIPTOR.name: event for event in found}


@pytest.mark.requirement("A1", "A5")
async def test_every_event_of_approvals_has_a_valid_line_and_a_rebuild_finds_the_same(
    scribe: Scribe, log: Following, audit: AuditService
) -> None:
    written = examples()
    assert set(written) == set(ALL), "Give an example of each event of approvals."
    for person in (BOB, EVE):
        await scribe.write(person.enrolled)
    first = {name: await scribe.write(event) for name, event in written.items()}
    await log.reach(max(first.values()))
    request = ListLogEntriesRequest(filter='context = "approval"', page_size=1000)
    lines = {e.revision: e for e in (await audit.ListLogEntries(request, None)).entries}
    for name, revision in first.items():
        line = lines[revision]
        assert line.type == f"assay.approval.v1.{name}"
        assert (line.is_valid, line.defect) == (True, "")
        assert line.data_json
    assert await log.rebuilder.check() == []


@pytest.fixture
async def story(scribe: Scribe, log: Following, audit: AuditService) -> Story:
    """Bob signs with a key file, Eve with a passkey; both are validators."""
    story = Story(scribe, log, audit, BOB, EVE)
    await story.begin()
    return story


async def grant(story: Story, asked: events.ApprovalRequested) -> None:
    for event in (asked, story.bob.sign(asked), story.eve.sign(asked), granted(asked)):
        await story.scribe.write(event)
    await story.move(asked)


def people(told: WhoApprovedResponse) -> list[str]:
    return [signer.printed_name for signer in told.signers]


@pytest.mark.requirement("S2")
async def test_a_passkey_signs_as_well_as_a_key_file(story: Story) -> None:
    await grant(story, requested(1))
    told = await story.ask()
    assert (people(told), told.defect) == (["Bob", "Eve"], "")


@pytest.mark.requirement("S2")
@pytest.mark.parametrize("part", ["client_data_json", "authenticator_data", "rp_id", "origin"])
async def test_a_forged_passkey_signature_is_flagged_and_nobodys(story: Story, part: str) -> None:
    asked = requested(1)
    forged = story.eve.sign(asked)
    setattr(forged.passkey, part, getattr(forged.passkey, part)[:-1])
    await story.scribe.write(asked)
    revision = await story.scribe.write(forged)
    await story.scribe.write(story.bob.sign(asked))
    await story.scribe.write(granted(asked))
    await story.move(asked)
    told = await story.ask()
    assert (people(told), told.defect) == (["Bob"], "1 of 2 signatures count.")
    request = ListLogEntriesRequest(filter="is_valid = false")
    flagged = (await story.audit.ListLogEntries(request, None)).entries
    assert [entry.revision for entry in flagged] == [revision]


async def test_how_an_approval_stands_follows_its_events_and_no_false_one(story: Story) -> None:
    asked = requested(1)
    await grant(story, asked)
    name = asked.name
    steps: list[tuple[Message, str]] = [
        (events.ApprovalResumed(name=name), "GRANTED"),
        (events.ApprovalSuspended(name=name), "SUSPENDED"),
        (events.ApprovalWithdrawn(name=name), "SUSPENDED"),
        (events.ApprovalResumed(name=name), "GRANTED"),
        (events.ApprovalExpired(name=name), "EXPIRED"),
        (events.ApprovalGranted(name=name), "EXPIRED"),
        (events.ApprovalVoided(name=name), "EXPIRED"),
    ]
    for event, state in steps:
        await story.scribe.write(event)
        told = await story.ask()
        assert ApprovalState.Name(told.state) == f"APPROVAL_STATE_{state}"
        assert people(told) == ["Bob", "Eve"]
    assert await story.log.rebuilder.check() == []


@pytest.mark.requirement("W10")
async def test_a_break_glass_grant_tells_its_review(story: Story) -> None:
    asked = requested(1)
    asked.is_break_glass, asked.quorum = True, 1
    grant = granted(asked)
    grant.review_due_time.FromDatetime(END)
    await story.scribe.write(asked)
    await story.scribe.write(story.bob.sign(asked))
    await story.scribe.write(grant)
    await story.move(asked)
    for reviewer in (story.bob, story.eve):  # Bob had a part in it
        review = reviewer.act(events.BreakGlassReviewed(), asked, Meaning.REVIEWED)
        await story.scribe.write(review)
    told = await story.ask()
    assert (told.is_break_glass, told.defect) == (True, "")
    assert told.review_due_time.ToDatetime(tzinfo=UTC) == END
    assert [review.printed_name for review in told.reviews] == ["Eve"]


@pytest.mark.requirement("W1")
async def test_a_lent_role_counts_while_it_is_lent_and_a_role_that_nobody_gave_never(
    story: Story,
) -> None:
    dan, stranger = Person("Dan"), Person("Stranger")
    for person in (dan, stranger):
        await story.scribe.write(person.enrolled)
    loan = dan.appointed()
    loan.founding, loan.delegator = False, story.eve.name
    loan.expire_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    await story.scribe.write(loan)
    asked = requested(1)
    await story.scribe.write(asked)
    await story.scribe.write(stranger.sign(asked))
    await story.scribe.write(dan.sign(asked, delegator=story.eve.name))
    await story.scribe.write(story.bob.sign(asked, role="other"))
    evidence = events.EvidenceAttached(name=asked.name, type="bias-report", attacher=dan.name)
    await story.scribe.write(evidence)
    await story.scribe.write(granted(asked))
    await story.move(asked)
    told = await story.ask()
    assert people(told) == ["Dan"]
    assert told.signers[0].delegator == story.eve.name
    assert [each.type for each in told.evidence] == ["bias-report"]


@pytest.mark.requirement("W3")
async def test_a_key_that_was_forged_into_the_founding_later_signs_nothing(story: Story) -> None:
    founded = events.PolicyPublished(name=POLICY, digest=digest(9), founding=True)
    await story.scribe.write(founded)
    late = Person("Late")
    await story.scribe.write(late.enrolled)
    await story.scribe.write(late.appointed())
    asked = requested(1)
    await story.scribe.write(asked)
    await story.scribe.write(late.sign(asked))
    await story.scribe.write(granted(asked))
    await story.move(asked)
    told = await story.ask()
    assert (people(told), told.defect) == ([], "0 of 2 signatures count.")


async def test_a_rejection_that_the_step_survives_is_told(story: Story) -> None:
    asked = requested(1)
    asked.quorum = 1
    await story.scribe.write(asked)
    rejection = story.bob.act(events.ApprovalRejected(), asked, Meaning.REJECTED)
    await story.scribe.write(rejection)
    await story.scribe.write(story.eve.sign(asked))
    await story.scribe.write(granted(asked))
    await story.move(asked)
    told = await story.ask()
    assert [each.printed_name for each in told.rejections] == ["Bob"]
    assert (people(told), told.defect) == (["Eve"], "")
    assert registered(1).manifest_digest == told.manifest_digest
