"""What stands on the stream past the rules counts for nothing."""

import pytest

from assay.approval.v1.events_pb2 import ApprovalGranted, ApprovalSigned
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval.domain.approval import APPROVAL
from tests.unit.assay_approval.people import ANN, BOB, EVE, asked, granted, signed


def forged(**changes: object) -> ApprovalSigned:
    event = signed(BOB, asked())
    for name, value in changes.items():
        setattr(event, name, value)
    return event


BOGUS = {
    "signature": forged(signature=bytes(64)),
    "record": forged(record=b"{}"),
    "signer": forged(signer=EVE.name),
    "key": forged(key=EVE.key),
    "public key": forged(public_key=EVE.pair.public),
    "approval": forged(name="namespaces/default/approvals/5f2a0000-0000-4000-8000-00000000000f"),
    "submitter": signed(ANN, asked()),
    "policy of another digest": signed(BOB, asked(quorum=1)),
}


@pytest.mark.parametrize("what", BOGUS)
def test_a_bogus_signature_on_the_stream_does_not_count(what: str) -> None:
    assert APPROVAL.fold([asked(), BOGUS[what]]).signatures == ()


def test_a_printed_name_that_was_not_signed_does_not_count() -> None:
    event = signed(BOB, asked())
    event.printed_name.clear = "Mallory"
    assert APPROVAL.fold([asked(), event]).signatures == ()


def test_a_forgotten_printed_name_still_counts() -> None:
    event = signed(BOB, asked())
    event.printed_name.clear, event.printed_name.salt = "", b""
    assert APPROVAL.fold([asked(), event]).signers == (BOB.name,)


def test_the_same_signature_twice_on_the_stream_counts_once() -> None:
    state = APPROVAL.fold([asked(), signed(BOB, asked()), signed(BOB, asked())])
    assert state.signers == (BOB.name,)


def test_a_bogus_grant_on_the_stream_does_not_count() -> None:
    for events in ([asked()], [asked(), signed(BOB, asked())], []):
        state = APPROVAL.fold([*events, granted(asked(), BOB, EVE)])
        assert state.state != ApprovalState.APPROVAL_STATE_GRANTED


def test_a_grant_of_something_else_does_not_count() -> None:
    bogus: ApprovalGranted = granted(asked(1), BOB)
    bogus.version = "namespaces/default/models/churn/versions/4"
    state = APPROVAL.fold([asked(1), signed(BOB, asked(1)), bogus])
    assert state.state == ApprovalState.APPROVAL_STATE_OPEN


def test_a_request_without_a_quorum_or_policy_does_not_count() -> None:
    no_quorum, no_policy = asked(), asked()
    no_quorum.quorum = 0
    no_policy.ClearField("policies")
    assert not APPROVAL.fold([no_quorum]).name
    assert not APPROVAL.fold([no_policy]).name
