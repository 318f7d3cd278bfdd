"""Who did something is told by the token alone, whomever a request names in its body."""

from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import (
    Approval,
    Evidence,
    Meaning,
    Policy,
    PolicySpec,
    Principal,
    Role,
)
from assay.event.v1.envelope_pb2 import Envelope
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.policies import POLICIES
from assay_approval.domain.principal import PRINCIPAL
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused
from tests.unit.assay_approval.people import Person

pytestmark = pytest.mark.requirement("W1")


async def actors(court: Court, subject: str) -> list[str]:
    """Return who did each thing on a subject, in order, as the envelopes say."""
    async with court.scribe() as scribe:
        stored = await scribe.stores["approval"].read_subject(subject)
    return [Envelope.FromString(each.body).actor.principal for each in stored]


async def test_an_approval_is_asked_for_and_given_evidence_by_who_calls(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.governed()
    target = f"{version.rpartition('/versions/')[0]}/stages/production"
    forged = Approval(
        version=version,
        target=target,
        submitter=bob.name,
        registrant=bob.name,
        trainers=[bob.name],
    )
    request = api.RequestApprovalRequest(parent=NAMESPACE, approval=forged)
    asked = court.stub.RequestApproval(request, metadata=ann.metadata).approval
    assert asked.submitter == ann.name
    assert bob.name not in {asked.registrant, *asked.trainers}
    evidence = Evidence(type="note", claims={"a": "b"}, attacher=bob.name)
    attach = api.AttachEvidenceRequest(name=asked.name, evidence=evidence)
    attached = court.stub.AttachEvidence(attach, metadata=ann.metadata).approval
    assert [each.attacher for each in attached.evidence] == [ann.name]
    assert await actors(court, APPROVAL.subject(asked.name)) == [ann.name] * 2


async def test_nobody_signs_rejects_or_reviews_for_another(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    asked = ann.ask(court.governed())
    prepare = api.PrepareSignatureRequest(
        name=asked.name, meaning=Meaning.MEANING_APPROVED, key=bob.person.key
    )
    with refused("KEY_NOT_ENROLLED"):
        court.stub.PrepareSignature(prepare, metadata=eve.metadata)
    signed = bob.request_to_sign(asked.name)
    with refused("KEY_NOT_ENROLLED"):
        court.stub.SignApproval(signed, metadata=eve.metadata)
    rejection = api.RejectApprovalRequest(
        name=asked.name, reason=signed.reason, record=signed.record, signature=signed.signature
    )
    rejection.reason.clear = "No."
    with refused("KEY_NOT_ENROLLED"):
        court.stub.RejectApproval(rejection, metadata=eve.metadata)
    assert not ann.get(asked.name, fresh(asked)).signatures
    assert await actors(court, APPROVAL.subject(asked.name)) == [ann.name]


async def test_a_principal_is_who_calls_and_has_keys_of_its_own(court: Court, bob: Caller) -> None:
    new = Caller(court, Person(f"n{uuid4()}"))
    forged = Principal(
        name=bob.name, kind=ActorKind.ACTOR_KIND_SERVICE, printed_name="Nina New", login="nina"
    )
    request = api.CreatePrincipalRequest(principal=forged)
    created = court.stub.CreatePrincipal(request, metadata=new.metadata).principal
    assert (created.name, created.kind) == (new.name, ActorKind.ACTOR_KIND_HUMAN)
    key = api.EnrolKeyRequest(
        parent=bob.name, public_key=new.person.pair.public, record=b"{}", signature=b"x" * 64
    )
    with refused("NOT_ALLOWED"):
        court.stub.EnrolKey(key, metadata=new.metadata)
    assert await actors(court, PRINCIPAL.subject(new.name)) == [new.name]


async def test_a_role_and_a_policy_are_proposed_by_who_calls(
    court: Court, bob: Caller, eve: Caller
) -> None:
    admin = court.someone(roles=["admin", "policy-admin"])
    forged = Role(role="reader", scope="*", giver=bob.name, endorser=bob.name, delegator=bob.name)
    grant = api.GrantRoleRequest(parent=eve.name, role=forged)
    given = court.stub.GrantRole(grant, metadata=admin.metadata).role
    assert (given.giver, given.endorser, given.delegator) == (admin.name, "", "")
    assert (await actors(court, PRINCIPAL.subject(eve.name)))[-1] == admin.name
    policy_id = f"p{uuid4()}"
    spec = PolicySpec(models=[policy_id], stages=["production"], quorum=1)
    publish = api.PublishPolicyRequest(
        parent=NAMESPACE,
        policy_id=policy_id,
        policy=Policy(spec=spec, proposer=bob.name, endorser=bob.name),
    )
    published = court.stub.PublishPolicy(publish, metadata=admin.metadata)
    assert bob.name not in {published.policy.proposer, published.policy.endorser}
    listing = api.ListProposalsRequest(
        page_size=1000, at_least_as_fresh=published.consistency_token
    )
    proposals = court.stub.ListProposals(listing, metadata=admin.metadata).proposals
    (mine,) = (each for each in proposals if f"/policies/{policy_id}/" in each.name)
    assert mine.proposer == admin.name
    assert admin.name in await actors(court, POLICIES.subject(NAMESPACE))
