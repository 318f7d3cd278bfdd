"""A person at the approval service."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, Unpack
from uuid import uuid4

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Approval, Evidence, Key, Meaning, Principal, Role
from assay_trust import dsse
from assay_trust.record import (
    ENDORSEMENT_TYPE,
    ENROLMENT_TYPE,
    SIGNATURE_TYPE,
    EnrolmentRecord,
    new_nonce,
)
from tests.support.scribe import DEPLOYMENT
from tests.unit.assay_approval.people import Person

if TYPE_CHECKING:
    from tests.integration.approval.court import Court

NAMESPACE = "namespaces/default"


class Said(TypedDict, total=False):
    """What a signer may say of a signature."""

    step: str
    role: str
    delegator: str
    reason_code: str


@dataclass
class Caller:
    """A person at the service."""

    court: "Court"
    person: Person
    kind: str = "human"

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return self.court.user(self.name.removeprefix("principals/"), self.kind)

    def create(self, printed_name: str = "") -> Principal:
        principal = Principal(printed_name=printed_name or self.person.word.title(), login="x")
        request = api.CreatePrincipalRequest(principal=principal)
        return self.court.stub.CreatePrincipal(request, metadata=self.metadata).principal

    def enrol(self, person: Person | None = None) -> Key:
        key = person or self.person
        record = EnrolmentRecord(
            deployment=DEPLOYMENT,
            principal=self.name,
            key=f"{self.name}/keys/{key.key.rpartition('/')[2]}",
            public_key=key.pair.public.hex(),
            time=datetime.now(UTC).replace(microsecond=0),
            nonce=new_nonce(),
        ).to_bytes()
        request = api.EnrolKeyRequest(
            parent=self.name,
            public_key=key.pair.public,
            record=record,
            signature=dsse.sign(key.pair.private, ENROLMENT_TYPE, record),
        )
        return self.court.stub.EnrolKey(request, metadata=self.metadata).key

    def endorse(self, name: str) -> api.EndorseResponse:
        """Put a proposal in force."""
        request = self.request_to_endorse(name)
        return self.court.stub.Endorse(request, metadata=self.metadata)

    def request_to_endorse(self, name: str) -> api.EndorseRequest:
        """Return the request with the caller's signature."""
        asked = api.PrepareEndorsementRequest(name=name, key=self.person.key)
        prepared = self.court.stub.PrepareEndorsement(asked, metadata=self.metadata)
        return api.EndorseRequest(
            name=name,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, ENDORSEMENT_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )

    def ask(
        self,
        version: str,
        request_id: str = "",
        target: str = "",
        *,
        is_break_glass: bool = False,
        code: str = "",
        reason: str = "It is better.",
        timeout: float = 30.0,
    ) -> Approval:
        """Request an approval of a version, for production unless told otherwise."""
        target = target or f"{version.rpartition('/versions/')[0]}/stages/production"
        request = api.RequestApprovalRequest(
            parent=NAMESPACE,
            approval=Approval(version=version, target=target, is_break_glass=is_break_glass),
            request_id=request_id,
            reason=reason,
            reason_code=code,
        )
        stub, metadata = self.court.stub, self.metadata
        return stub.RequestApproval(request, metadata=metadata, timeout=timeout).approval

    def prepare(
        self,
        approval: str,
        meaning: Meaning.ValueType = Meaning.MEANING_APPROVED,
        reason: str = "",
        **said: Unpack[Said],
    ) -> api.PrepareSignatureResponse:
        """Ask what to sign; `said` are step, role, delegator and reason_code."""
        request = api.PrepareSignatureRequest(
            name=approval, meaning=meaning, key=self.person.key, reason=reason, **said
        )
        return self.court.stub.PrepareSignature(request, metadata=self.metadata)

    def request_to_sign(
        self, approval: str, reason: str = "", **said: Unpack[Said]
    ) -> api.SignApprovalRequest:
        prepared = self.prepare(approval, reason=reason, **said)
        return api.SignApprovalRequest(
            name=approval,
            request_id=str(uuid4()),
            reason=prepared.reason,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, SIGNATURE_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )

    def sign(self, approval: str, reason: str = "", **said: Unpack[Said]) -> Approval:
        request = self.request_to_sign(approval, reason, **said)
        return self.court.stub.SignApproval(request, metadata=self.metadata).approval

    def reject(self, approval: str, reason: str, **said: Unpack[Said]) -> Approval:
        prepared = self.prepare(approval, Meaning.MEANING_REJECTED, reason, **said)
        request = api.RejectApprovalRequest(
            name=approval,
            reason=prepared.reason,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, SIGNATURE_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )
        return self.court.stub.RejectApproval(request, metadata=self.metadata).approval

    def review(
        self, approval: str, reason: str = "It was right.", **said: Unpack[Said]
    ) -> Approval:
        """Sign that a break-glass grant was looked at."""
        prepared = self.prepare(approval, Meaning.MEANING_REVIEWED, reason, **said)
        request = api.ReviewBreakGlassRequest(
            name=approval,
            reason=prepared.reason,
            record=prepared.record,
            signature=dsse.sign(self.person.pair.private, SIGNATURE_TYPE, prepared.record),
            printed_name=prepared.printed_name,
        )
        return self.court.stub.ReviewBreakGlass(request, metadata=self.metadata).approval

    def attach(self, approval: str, sort: str, **claims: str) -> Approval:
        """Bring evidence forward."""
        request = api.AttachEvidenceRequest(
            name=approval, evidence=Evidence(type=sort, claims=claims)
        )
        return self.court.stub.AttachEvidence(request, metadata=self.metadata).approval

    def lend(self, other: "Caller", role: str, seconds: float = 3600) -> Role:
        """Lend one of the caller's roles."""
        request = api.DelegateRoleRequest(parent=other.name, role=role)
        request.expire_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
        return self.court.stub.DelegateRole(request, metadata=self.metadata).role

    def withdraw(self, approval: str, reason: str = "Wrong version.") -> Approval:
        request = api.WithdrawApprovalRequest(name=approval, reason=reason)
        return self.court.stub.WithdrawApproval(request, metadata=self.metadata).approval

    def suspend(self, approval: str, reason: str = "Looks odd.", code: str = "") -> Approval:
        request = api.SuspendApprovalRequest(name=approval, reason=reason, code=code)
        return self.court.stub.SuspendApproval(request, metadata=self.metadata).approval

    def resume(self, approval: str, reason: str = "It was fine.") -> Approval:
        request = api.ResumeApprovalRequest(name=approval, reason=reason)
        return self.court.stub.ResumeApproval(request, metadata=self.metadata).approval

    def revoke(self, approval: str, reason: str = "A bug.", code: str = "") -> Approval:
        request = api.RevokeApprovalRequest(name=approval, reason=reason, code=code)
        return self.court.stub.RevokeApproval(request, metadata=self.metadata).approval

    def revoke_key(self, key: str = "", reason: str = "Lost.") -> Key:
        request = api.RevokeKeyRequest(name=key or self.person.key, reason=reason)
        return self.court.stub.RevokeKey(request, metadata=self.metadata).key

    def get(self, approval: str, fresh: str = "") -> Approval:
        request = api.GetApprovalRequest(name=approval, at_least_as_fresh=fresh)
        return self.court.stub.GetApproval(request, metadata=self.metadata).approval

    def list(
        self, text: str, fresh: str = "", page_size: int = 0, page_token: str = ""
    ) -> api.ListApprovalsResponse:
        request = api.ListApprovalsRequest(
            parent=NAMESPACE,
            filter=text,
            at_least_as_fresh=fresh,
            page_size=page_size,
            page_token=page_token,
        )
        return self.court.stub.ListApprovals(request, metadata=self.metadata)
