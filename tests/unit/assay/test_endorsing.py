"""What is endorsed is what was proposed: a record about anything else is not signed."""

# ruff: noqa: N802 - methods carry the names of the proto

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from assay import endorsing
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import RoleProposed
from assay.endorsements import role_subject
from assay.errors import AssayError, DataLoss, FailedPrecondition, Invalid, NotFound
from assay_trust import dsse, keys
from assay_trust.record import ENDORSEMENT_TYPE, EndorsementRecord, Named, new_nonce
from tests.unit.assay.test_signing import PAIR, SIGNER, Approvals, committed, serving, text

HOLDER = "principals/00000000-0000-4000-8000-00000000000a"
NAME = f"{HOLDER}/roles/{'a' * 32}"
ROLE = RoleProposed(name=NAME, role="approver:validator", scope="namespaces/default")
Forge = Callable[[EndorsementRecord], EndorsementRecord]


class Proposals(Approvals):
    """An approval service with one proposal, and records that may be forged."""

    def __init__(self, change: Forge = lambda record: record, told: str = "") -> None:
        """Prepare records as `change` makes them; the proposal's sentence may be another."""
        super().__init__()
        self.change = change
        self.told = told or f"{HOLDER} becomes {ROLE.role} in {ROLE.scope}."
        self.endorsed: list[api.EndorseRequest] = []

    def ListProposals(
        self, _: api.ListProposalsRequest, __: grpc.ServicerContext
    ) -> api.ListProposalsResponse:
        return api.ListProposalsResponse(
            proposals=[api.Proposal(name=NAME, proposer=SIGNER, description=self.told)]
        )

    def PrepareEndorsement(
        self, request: api.PrepareEndorsementRequest, _: grpc.ServicerContext
    ) -> api.PrepareEndorsementResponse:
        printed = text("Ann Author")
        record = EndorsementRecord(
            deployment="00000000-0000-4000-8000-000000000003",
            subject=role_subject(ROLE),
            nonce=new_nonce(),
            signer=SIGNER,
            key=request.key,
            time=datetime.now(UTC).replace(microsecond=0),
            printed_name_commitment=committed(printed),
        )
        return api.PrepareEndorsementResponse(
            record=self.change(record).to_bytes(), printed_name=printed
        )

    def Endorse(self, request: api.EndorseRequest, _: grpc.ServicerContext) -> api.EndorseResponse:
        self.endorsed.append(request)
        return api.EndorseResponse()


def test_what_was_shown_is_what_is_endorsed() -> None:
    proposals = Proposals()
    with serving(proposals) as client:
        prepared = endorsing.prepare(client, NAME, PAIR.public)
        assert f"{HOLDER} becomes approver:validator in namespaces/default." in prepared.text
        assert "Ann Author" in prepared.text
        with pytest.raises(Invalid, match="key that the record was prepared for"):
            endorsing.endorse(client, prepared, keys.generate())
        assert proposals.endorsed == []
        endorsing.endorse(client, prepared, PAIR)
    (sent,) = proposals.endorsed
    assert sent.name == NAME
    dsse.verify(PAIR.public, ENDORSEMENT_TYPE, sent.record, sent.signature)


@pytest.mark.parametrize(
    ("change", "told", "refusal"),
    [
        (lambda r: replace(r, subject=Named(f"{NAME[:-1]}b", r.subject.digest)), "", DataLoss),
        (lambda r: replace(r, subject=Named(NAME, "sha256:" + "c" * 64)), "", DataLoss),
        (lambda r: replace(r, key=f"{SIGNER}/keys/{'0' * 16}"), "", DataLoss),
        (lambda r: replace(r, printed_name_commitment="d" * 64), "", DataLoss),
        (lambda r: replace(r, time=r.time - timedelta(hours=1)), "", FailedPrecondition),
        (lambda r: r, f"{HOLDER} becomes reader in namespaces/default.", DataLoss),
        (lambda r: r, f"{SIGNER} becomes approver:validator in namespaces/default.", DataLoss),
        (lambda r: r, "All is well.", DataLoss),
    ],
)
def test_a_record_about_something_else_is_not_signed(
    change: Forge, told: str, refusal: type[AssayError]
) -> None:
    with serving(Proposals(change, told)) as client, pytest.raises(refusal):
        endorsing.prepare(client, NAME, PAIR.public)


def test_what_does_not_wait_is_not_endorsed() -> None:
    with serving(Proposals()) as client, pytest.raises(NotFound):
        endorsing.prepare(client, f"{NAME[:-1]}b", PAIR.public)
