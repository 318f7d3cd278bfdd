"""Passkeys: enrolled with a second person, and signing what PrepareSignature gives."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import ApprovalState, Key, KeyKind, Meaning, PasskeyData
from assay_trust.keys import key_id
from assay_trust.record import ENROLMENT_TYPE, SIGNATURE_TYPE, EnrolmentRecord, new_nonce
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused
from tests.support.authenticator import PRESENT, Authenticator
from tests.support.scribe import DEPLOYMENT
from tests.unit.assay_approval.people import Person


@dataclass
class Passkey:
    """Somebody with a passkey."""

    caller: Caller
    authenticator: Authenticator = field(default_factory=Authenticator)

    @property
    def name(self) -> str:
        return f"{self.caller.name}/keys/{key_id(self.authenticator.public_key)}"

    def enrol(self) -> Key:
        public_key = self.authenticator.public_key
        record = EnrolmentRecord(
            deployment=DEPLOYMENT,
            principal=self.caller.name,
            key=self.name,
            public_key=public_key.hex(),
            time=datetime.now(UTC).replace(microsecond=0),
            nonce=new_nonce(),
        ).to_bytes()
        passkey, signature = self.assertion(record, ENROLMENT_TYPE)
        request = api.EnrolKeyRequest(
            parent=self.caller.name,
            public_key=public_key,
            record=record,
            signature=signature,
            kind=KeyKind.KEY_KIND_WEBAUTHN,
            passkey=passkey,
        )
        return self.caller.court.stub.EnrolKey(request, metadata=self.caller.metadata).key

    def assertion(self, record: bytes, payload_type: str) -> tuple[PasskeyData, bytes]:
        """Return what the passkey says and signs of a record."""
        data, client_data, signature = self.authenticator.sign(record, payload_type)
        told = PasskeyData(
            authenticator_data=data,
            client_data_json=client_data,
            rp_id=self.authenticator.rp_id,
            origin=self.authenticator.origin,
        )
        return told, signature

    def request_to_sign(self, approval: str) -> api.SignApprovalRequest:
        stub, metadata = self.caller.court.stub, self.caller.metadata
        asked = api.PrepareSignatureRequest(
            name=approval, meaning=Meaning.MEANING_APPROVED, key=self.name
        )
        prepared = stub.PrepareSignature(asked, metadata=metadata)
        passkey, signature = self.assertion(prepared.record, SIGNATURE_TYPE)
        return api.SignApprovalRequest(
            name=approval,
            record=prepared.record,
            signature=signature,
            printed_name=prepared.printed_name,
            passkey=passkey,
        )


@pytest.fixture
def pia(court: Court) -> Passkey:
    """Give a person whose only key is a passkey."""
    caller = Caller(court, Person(f"p{uuid4()}"))
    caller.create()
    pia = Passkey(caller)
    court.founder.endorse(pia.enrol().name)
    court.give(caller.name, "approver:validator")
    return pia


@pytest.mark.requirement("S2", "S3", "S4")
def test_a_passkey_signs(court: Court, ann: Caller, pia: Passkey) -> None:
    asked = ann.ask(court.governed())
    request = pia.request_to_sign(asked.name)
    granted = court.stub.SignApproval(request, metadata=pia.caller.metadata).approval
    assert granted.state == ApprovalState.APPROVAL_STATE_GRANTED
    assert granted.signatures[0].passkey == request.passkey
    assert ann.get(asked.name, fresh(granted)) == granted
    assert court.check(asked.version, asked.name).approval == asked.name


@pytest.mark.requirement("S3", "S4")
def test_a_passkey_whose_holder_was_not_verified_signs_nothing(
    court: Court, ann: Caller, pia: Passkey
) -> None:
    asked = ann.ask(court.governed())
    pia.authenticator.flags = PRESENT
    request = pia.request_to_sign(asked.name)
    with refused("BAD_SIGNATURE"):
        court.stub.SignApproval(request, metadata=pia.caller.metadata)


@pytest.mark.requirement("S2", "S8")
def test_a_passkey_signs_at_this_deployments_own_page_and_one_record(
    court: Court, ann: Caller, pia: Passkey
) -> None:
    version = court.governed()
    one, other = ann.ask(version), ann.ask(version)
    copied = pia.request_to_sign(one.name)
    signed = pia.request_to_sign(other.name)
    signed.passkey.CopyFrom(copied.passkey)
    signed.signature = copied.signature
    with refused("BAD_SIGNATURE"):
        court.stub.SignApproval(signed, metadata=pia.caller.metadata)
    pia.authenticator.origin = "https://assay.example.evil.test"
    elsewhere = pia.request_to_sign(other.name)
    with refused("BAD_SIGNATURE"):
        court.stub.SignApproval(elsewhere, metadata=pia.caller.metadata)


@pytest.mark.requirement("S3")
def test_an_assertion_of_a_passkey_is_no_signature_of_a_key_file(
    court: Court, ann: Caller, pia: Passkey
) -> None:
    asked = ann.ask(court.governed())
    request = pia.request_to_sign(asked.name)
    request.ClearField("passkey")
    with refused("BAD_SIGNATURE"):
        court.stub.SignApproval(request, metadata=pia.caller.metadata)
