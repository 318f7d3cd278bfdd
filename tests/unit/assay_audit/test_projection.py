"""What each event means for the log and for the question who approved what."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from assay.approval.v1.events_pb2 import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalResumed,
    ApprovalRevoked,
    ApprovalSigned,
    ApprovalSuspended,
    ApprovalVoided,
    ApprovalWithdrawn,
    KeyEnrolled,
    PolicyPublished,
    RoleGranted,
)
from assay.approval.v1.resources_pb2 import ApprovalState, PolicyRef
from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import (
    AliasUnset,
    ModelCreated,
    ModelVersionRegistered,
    StageHoldersSet,
    StageSet,
)
from assay.metadata.v1.resources_pb2 import StageHolder
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_audit.projection import apply
from assay_events import codec
from assay_events.decider import subject
from assay_events.envelope import Recorded, Stored
from assay_events.projection import Add, Put, Write
from assay_trust import dsse, keys, personal
from assay_trust.record import SIGNATURE_TYPE, Meaning, Named, SigningRecord

DEPLOYMENT = "6f0c5a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
BOB = "principals/7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
APPROVAL = "namespaces/default/approvals/5f2a0000-0000-4000-8000-000000000001"
CHURN = "namespaces/default/models/churn"
VERSION = f"{CHURN}/versions/3"
STAGE = f"{CHURN}/stages/production"
DIGEST = "sha256:" + "9f" * 32
POLICY = "namespaces/default/policies/two/versions/1"
TERMS = ["ab" * 32, "", f"{POLICY} {DIGEST}"]
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
PAIR = keys.generate()
KEY = f"{BOB}/keys/{keys.key_id(PAIR.public)}"
SALT = b"s" * personal.SALT_BYTES
NAME = PersonalText(clear="Bob", salt=SALT, commitment=personal.commit("Bob", SALT))


def recorded(event: Message, revision: int = 7, **fields: object) -> Recorded:
    context = event.DESCRIPTOR.full_name.split(".")[1]
    envelope = Envelope(
        id="e", subject=getattr(event, "name", ""), request_id="r", deployment=DEPLOYMENT
    )
    envelope.time.FromDatetime(NOW)
    envelope.actor.CopyFrom(Actor(principal=BOB, kind=ActorKind.ACTOR_KIND_HUMAN))
    envelope.MergeFrom(Envelope(**fields))  # type: ignore[arg-type]  # a test's own fields
    message = codec.encode(envelope, event)
    nats_subject = subject(context, "thing", "x")
    return codec.decode(Stored(nats_subject, message.type, message.body, revision, NOW))


def signed(
    change: Callable[[SigningRecord], SigningRecord] = lambda record: record,
) -> ApprovalSigned:
    record = change(
        SigningRecord(
            deployment=DEPLOYMENT,
            approval=APPROVAL,
            nonce="ab" * 32,
            subject=Named(VERSION, DIGEST),
            target=STAGE,
            policies=(Named(POLICY, DIGEST),),
            meaning=Meaning.APPROVED,
            signer=BOB,
            key=KEY,
            time=NOW,
            printed_name_commitment=NAME.commitment.hex(),
        )
    ).to_bytes()
    return ApprovalSigned(
        name=APPROVAL,
        signer=BOB,
        key=KEY,
        public_key=PAIR.public,
        record=record,
        signature=dsse.sign(PAIR.private, SIGNATURE_TYPE, record),
        printed_name=NAME,
    )


def log_row(writes: list[Write]) -> dict[str, object]:
    first = writes[0]
    assert isinstance(first, Add)
    assert first.table == "log"
    return dict(first.row)


def rest(event: Message) -> list[Write]:
    return list(apply(recorded(event)))[1:]


def test_an_event_is_stored_verbatim_with_what_it_is_found_by() -> None:
    event = recorded(ModelCreated(name=CHURN))
    (write,) = apply(event)
    assert isinstance(write, Add)
    assert write.row == {
        "revision": 7,
        "stream_time": NOW,
        "nats_subject": subject("metadata", "thing", "x"),
        "context": "metadata",
        "type": "assay.metadata.v1.ModelCreated",
        "resource": CHURN,
        "actor": BOB,
        "actor_kind": ActorKind.ACTOR_KIND_HUMAN,
        "on_behalf_of": "",
        "time": NOW,
        "request_id": "r",
        "is_valid": True,
        "defect": "",
        "body": event.body,
    }


def test_what_the_rows_of_the_answer_are() -> None:
    moved = rest(StageSet(name=STAGE, version=VERSION, approval=APPROVAL))
    assert moved == [
        Put(
            "holding",
            {
                "name": STAGE,
                "versions": [VERSION],
                "approvals": [APPROVAL],
                "actor": BOB,
                "revision": 7,
                "enter_time": NOW,
            },
        )
    ]
    (emptied,) = rest(AliasUnset(name=f"{CHURN}/aliases/champion"))
    assert isinstance(emptied, Put)
    assert emptied.row["versions"] == []
    several = StageHoldersSet(
        name=STAGE, holders=[StageHolder(version=VERSION, weight=90), StageHolder(version="v")]
    )
    (shared,) = rest(several)
    assert isinstance(shared, Put)
    assert (shared.row["versions"], shared.row["approvals"]) == ([VERSION, "v"], ["", ""])
    assert rest(ModelVersionRegistered(name=VERSION, manifest_digest=DIGEST)) == [
        Add(
            "registration",
            {"revision": 7, "version": VERSION, "manifest_digest": DIGEST, "registrant": BOB},
        )
    ]
    policies = [PolicyRef(name=POLICY, digest=DIGEST)]
    asked = ApprovalRequested(name=APPROVAL, submitter=BOB, policies=policies, nonce="ab" * 32)
    assert rest(asked) == [
        Add(
            "request",
            {
                "revision": 7,
                "approval": APPROVAL,
                "submitter": BOB,
                "target": "",
                "quorum": 0,
                "is_break_glass": False,
                "evidence_digest": "",
                "policies": [POLICY],
                "terms": TERMS,
            },
        )
    ]


ENDED = datetime(2027, 3, 3, 12, tzinfo=UTC)
STATES: dict[str, Message] = {
    "GRANTED": ApprovalGranted(name=APPROVAL),
    "WITHDRAWN": ApprovalWithdrawn(name=APPROVAL),
    "EXPIRED": ApprovalExpired(name=APPROVAL),
    "SUSPENDED": ApprovalSuspended(name=APPROVAL),
    "REVOKED": ApprovalRevoked(name=APPROVAL),
    "VOIDED": ApprovalVoided(name=APPROVAL),
}


@pytest.mark.parametrize("state", STATES)
def test_each_outcome_is_kept(state: str) -> None:
    row = {
        "revision": 7,
        "approval": APPROVAL,
        "state": ApprovalState.Value(f"APPROVAL_STATE_{state}"),
        "time": NOW,
        "expire_time": None,
        "review_due_time": None,
    }
    assert rest(STATES[state]) == [Add("outcome", row)]


def test_a_resumed_grant_is_granted_and_a_grant_says_until_when() -> None:
    (resumed,) = rest(ApprovalResumed(name=APPROVAL))
    granted = ApprovalGranted(name=APPROVAL)
    granted.expire_time.FromDatetime(ENDED)
    (ending,) = rest(granted)
    assert isinstance(resumed, Add)
    assert isinstance(ending, Add)
    assert resumed.row["state"] == ending.row["state"] == ApprovalState.APPROVAL_STATE_GRANTED
    assert ending.row["expire_time"] == ENDED


def test_a_signature_is_kept_with_what_it_covers() -> None:
    assert rest(signed()) == [
        Add(
            "signature",
            {
                "revision": 7,
                "approval": APPROVAL,
                "signer": BOB,
                "key": KEY,
                "public_key": PAIR.public,
                "version": VERSION,
                "manifest_digest": DIGEST,
                "target": STAGE,
                "terms": TERMS,
                "meaning": "approved",
                "step": "",
                "role": "",
                "delegator": "",
                "printed_name": "Bob",
                "reason": "",
                "reason_code": "",
                "sign_time": NOW,
            },
        )
    ]


def test_a_forgotten_name_takes_nothing_from_the_signature() -> None:
    event = signed()
    event.printed_name.CopyFrom(PersonalText(commitment=NAME.commitment))
    (signature,) = rest(event)
    assert isinstance(signature, Add)
    assert signature.row["printed_name"] == ""


def tampered(field: str, value: object) -> ApprovalSigned:
    event = signed()
    setattr(event, field, value)
    return event


@pytest.mark.parametrize(
    "event",
    [
        tampered("signature", b"\0" * 64),
        tampered("signature", b""),
        tampered("record", b"{}"),
        tampered("public_key", b"\0" * 32),
        tampered("public_key", keys.generate().public),
        tampered("name", APPROVAL.replace("1", "2")),
        tampered("signer", BOB.replace("7", "8")),
        tampered("key", KEY[:-1] + ("1" if KEY.endswith("0") else "0")),
        signed(lambda record: replace(record, deployment=BOB.removeprefix("principals/"))),
        signed(lambda record: replace(record, meaning=Meaning.REJECTED)),
        signed(lambda record: replace(record, printed_name_commitment="")),
    ],
)
def test_a_signature_that_does_not_hold_is_flagged_and_counts_nowhere(event: Message) -> None:
    writes = list(apply(recorded(event)))
    assert len(writes) == 1
    row = log_row(writes)
    assert row["is_valid"] is False
    assert row["defect"]


def test_another_printed_name_is_noticed() -> None:
    event = signed()
    event.printed_name.clear = "Eve"
    assert len(list(apply(recorded(event)))) == 1
    event.printed_name.salt = b"short"
    assert len(list(apply(recorded(event)))) == 1


def test_a_reason_that_was_not_signed_is_not_passed_on() -> None:
    reason = PersonalText(clear="Because.", salt=SALT, commitment=personal.commit("Because.", SALT))
    commitment = reason.commitment.hex()
    bound = recorded(signed(lambda r: replace(r, reason_commitment=commitment)), reason=reason)
    free = recorded(signed(), reason=reason)
    torn = recorded(
        signed(lambda r: replace(r, reason_commitment=commitment)),
        reason=PersonalText(clear="Because.", salt=b"short", commitment=reason.commitment),
    )
    reasons = []
    for event in (bound, free, torn):
        (_, signature) = apply(event)
        assert isinstance(signature, Add)
        reasons.append(signature.row["reason"])
    assert reasons == ["Because.", "", ""]


def test_an_approval_passed_off_as_a_rejection_is_noticed() -> None:
    event = ApprovalRejected.FromString(signed().SerializeToString())
    assert log_row(list(apply(recorded(event))))["defect"] == "its signature covers another record."


def test_what_broke_a_rule_of_admission_is_kept_and_counts_nowhere() -> None:
    event = replace(recorded(StageSet(name=STAGE, version=VERSION)), defect="its source is 'x'.")
    (write,) = apply(event)
    assert isinstance(write, Add)
    assert write.row["defect"] == "its source is 'x'."
    assert write.row["body"] == event.body


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"\0" * 10, b"{}"])
def test_bytes_that_nobody_can_read_are_stored_all_the_same(body: bytes) -> None:
    stored = Stored("assay.v1.metadata.model.x", "assay.metadata.v1.StageSet", body, 9, NOW)
    row = log_row(list(apply(codec.decode_leniently(stored))))
    assert row["body"] == body
    assert row["revision"] == 9
    assert row["is_valid"] is False
    assert row["type"] == "assay.metadata.v1.StageSet"


def test_columns_hold_what_postgres_can_and_the_body_holds_the_whole() -> None:
    name = f"{CHURN}\0" + "x" * 10_000
    event = recorded(ModelCreated(name=name))
    row = log_row(list(apply(event)))
    assert str(row["resource"]).startswith(f"{CHURN}\N{REPLACEMENT CHARACTER}x")
    assert len(str(row["resource"])) == 600
    assert row["body"] == event.body


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 10**12, -(10**12)])
def test_a_time_that_no_calendar_has_is_left_out(seconds: int) -> None:
    event = recorded(ModelCreated(name=CHURN))
    event.envelope.time.seconds = seconds
    assert log_row(list(apply(event)))["time"] is None


def test_who_registered_is_whom_a_service_acted_for() -> None:
    actor = Actor(principal="services/metadata", on_behalf_of=BOB)
    (_, write) = apply(recorded(ModelVersionRegistered(name=VERSION), actor=actor))
    assert isinstance(write, Add)
    assert write.row["registrant"] == BOB


@pytest.mark.parametrize(
    ("event", "defect"),
    [
        (KeyEnrolled(name=KEY, public_key=PAIR.public, founding=True), "the key did not sign"),
        (RoleGranted(name=f"{BOB}/roles/a", role="reader", scope="*"), "its endorsement"),
        (PolicyPublished(name=POLICY, digest=DIGEST), "its endorsement"),
        (ApprovalRequested(name=APPROVAL, evidence=b"{}", evidence_digest=DIGEST), "its evidence"),
    ],
)
def test_what_nobody_stands_for_is_flagged(event: Message, defect: str) -> None:
    (write,) = apply(recorded(event))
    assert isinstance(write, Add)
    assert str(write.row["defect"]).startswith(defect)
