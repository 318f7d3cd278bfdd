"""The signer trusts its own eyes: a record that says anything else is not signed."""

# ruff: noqa: N802 - methods carry the names of the proto

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from assay import signing
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1 import resources_pb2 as approval
from assay.approval.v1.approval_service_pb2_grpc import add_ApprovalServiceServicer_to_server
from assay.client import Client
from assay.errors import AssayError, DataLoss, FailedPrecondition, Invalid
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import dsse, keys, personal, tokens
from assay_trust.record import SIGNATURE_TYPE, Meaning, Named, SigningRecord, new_nonce

SIGNER = "principals/00000000-0000-4000-8000-000000000001"
NAME = "namespaces/default/approvals/00000000-0000-4000-8000-000000000002"
MODEL = "namespaces/default/models/churn"
DIGEST = "sha256:" + "a" * 64
POLICY = Named("namespaces/default/policies/production/versions/1", "sha256:" + "b" * 64)
PAIR = keys.generate()
Forge = Callable[[SigningRecord], SigningRecord]


def text(clear: str) -> PersonalText:
    return PersonalText(clear=clear, salt=personal.new_salt())


def committed(words: PersonalText) -> str:
    return personal.commit(words.clear, words.salt).hex()


@dataclass
class Approvals:
    """What an approval service would answer, with a record that may be forged."""

    forge: Forge = lambda record: record
    reason: str | None = None
    sent: api.SignApprovalRequest | api.RejectApprovalRequest | None = None

    def __getattr__(self, name: str) -> object:
        if name[0].isupper():
            return None
        raise AttributeError(name)

    def GetApproval(
        self, request: api.GetApprovalRequest, _: grpc.ServicerContext
    ) -> api.GetApprovalResponse:
        return api.GetApprovalResponse(
            approval=approval.Approval(
                name=request.name,
                version=f"{MODEL}/versions/1",
                target=f"{MODEL}/stages/production",
                manifest_digest=DIGEST,
                policies=[approval.PolicyRef(name=POLICY.name, digest=POLICY.digest)],
            )
        )

    def PrepareSignature(
        self, request: api.PrepareSignatureRequest, _: grpc.ServicerContext
    ) -> api.PrepareSignatureResponse:
        reason = text(request.reason if self.reason is None else self.reason)
        printed = text("Ann Author")
        rejects = request.meaning == approval.MEANING_REJECTED
        record = SigningRecord(
            deployment="00000000-0000-4000-8000-000000000003",
            approval=request.name,
            nonce=new_nonce(),
            subject=Named(f"{MODEL}/versions/1", DIGEST),
            target=f"{MODEL}/stages/production",
            policies=(POLICY,),
            meaning=Meaning.REJECTED if rejects else Meaning.APPROVED,
            signer=SIGNER,
            key=request.key,
            time=datetime.now(UTC).replace(microsecond=0),
            reason_commitment=committed(reason) if request.reason else "",
            printed_name_commitment=committed(printed),
        )
        return api.PrepareSignatureResponse(
            record=self.forge(record).to_bytes(), reason=reason, printed_name=printed
        )

    def SignApproval(
        self, request: api.SignApprovalRequest, _: grpc.ServicerContext
    ) -> api.SignApprovalResponse:
        self.sent = request
        return api.SignApprovalResponse()

    def RejectApproval(
        self, request: api.RejectApprovalRequest, _: grpc.ServicerContext
    ) -> api.RejectApprovalResponse:
        self.sent = request
        return api.RejectApprovalResponse()


@contextmanager
def serving(approvals: Approvals) -> Iterator[Client]:
    """Give a client of `approvals`, which serves over gRPC."""
    server = grpc.server(ThreadPoolExecutor(2))
    add_ApprovalServiceServicer_to_server(approvals, server)  # type: ignore[arg-type]  # duck
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    here = dict.fromkeys(names, f"127.0.0.1:{port}")
    issuer = keys.to_pem(keys.generate().private)
    token = tokens.mint_user(issuer, "issuer", SIGNER.removeprefix("principals/"), 0)
    with Client.connect(endpoints=here, token=token) as client:
        yield client
    server.stop(None)


def prepare(
    approvals: Approvals, meaning: Meaning = Meaning.APPROVED, reason: str = ""
) -> signing.Prepared:
    with serving(approvals) as client:
        return signing.prepare(client, NAME, PAIR.public, meaning, reason)


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("meaning", [Meaning.APPROVED, Meaning.REJECTED])
def test_what_was_shown_is_what_is_signed(meaning: Meaning) -> None:
    approvals = Approvals()
    prepared = prepare(approvals, meaning, "It holds.")
    assert f"{MODEL}/versions/1 with digest {DIGEST}" in prepared.text
    assert "Ann Author" in prepared.text
    assert "It holds." in prepared.text
    with serving(approvals) as client:
        signing.sign(client, prepared, PAIR)
    assert approvals.sent is not None
    assert isinstance(approvals.sent, api.SignApprovalRequest) == (meaning is Meaning.APPROVED)
    assert approvals.sent.record == prepared.record_bytes
    dsse.verify(PAIR.public, SIGNATURE_TYPE, approvals.sent.record, approvals.sent.signature)


OTHER = "00000000-0000-4000-8000-00000000000f"


@pytest.mark.requirement("S8")
@pytest.mark.parametrize(
    ("forge", "refusal"),
    [
        (lambda r: replace(r, approval=f"namespaces/default/approvals/{OTHER}"), DataLoss),
        (lambda r: replace(r, subject=Named(f"{MODEL}/versions/2", DIGEST)), DataLoss),
        (lambda r: replace(r, subject=Named(r.subject.name, "sha256:" + "c" * 64)), DataLoss),
        (lambda r: replace(r, target=f"{MODEL}/stages/staging"), DataLoss),
        (lambda r: replace(r, policies=()), DataLoss),
        (lambda r: replace(r, evidence_digest=DIGEST), DataLoss),
        (lambda r: replace(r, meaning=Meaning.REJECTED), DataLoss),
        (lambda r: replace(r, key=f"{SIGNER}/keys/{'0' * 16}"), DataLoss),
        (lambda r: replace(r, reason_commitment="d" * 64), DataLoss),
        (lambda r: replace(r, printed_name_commitment="d" * 64), DataLoss),
        (lambda r: replace(r, time=r.time - timedelta(hours=1)), FailedPrecondition),
    ],
)
def test_a_record_that_says_something_else_is_not_signed(
    forge: Forge, refusal: type[AssayError]
) -> None:
    with pytest.raises(refusal):
        prepare(Approvals(forge), reason="It holds.")


def test_a_reason_in_other_words_is_not_signed() -> None:
    with pytest.raises(DataLoss, match="another reason than yours"):
        prepare(Approvals(reason="It does not."), reason="It holds.")


def test_another_key_than_the_prepared_one_does_not_sign() -> None:
    approvals = Approvals()
    prepared = prepare(approvals)
    with (
        serving(approvals) as client,
        pytest.raises(Invalid, match="key that the record was prepared for"),
    ):
        signing.sign(client, prepared, keys.generate())
    assert approvals.sent is None
