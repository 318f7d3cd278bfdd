"""Approvals from request to grant, through real gRPC, NATS and Postgres."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import grpc
import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import ApprovalState, Meaning
from assay.metadata.v1.resources_pb2 import State
from assay_events import token
from assay_trust import dsse, personal
from assay_trust.display import display_text
from assay_trust.record import SIGNATURE_TYPE, SigningRecord
from tests.integration.approval.caller import NAMESPACE, Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, reason_of, refused
from tests.support.scribe import OWNER
from tests.unit.assay_approval.people import DIGEST, Person

OPEN, GRANTED = ApprovalState.APPROVAL_STATE_OPEN, ApprovalState.APPROVAL_STATE_GRANTED
REJECTED, REVOKED = ApprovalState.APPROVAL_STATE_REJECTED, ApprovalState.APPROVAL_STATE_REVOKED


def test_two_people_let_a_version_in(court: Court, ann: Caller, bob: Caller, eve: Caller) -> None:
    version = court.register()
    policy = court.publish(version, quorum=2)
    asked = ann.ask(version)
    assert asked.state == OPEN
    assert asked.quorum == 2
    assert asked.manifest_digest == DIGEST
    assert [each.digest for each in asked.policies] == [policy.digest]
    assert asked.reason == "It is better."
    assert not court.check(version, asked.name).approval

    once = bob.sign(asked.name)
    assert (once.state, [each.signer for each in once.signatures]) == (OPEN, [bob.name])
    twice = eve.sign(asked.name, "Measured it myself.")
    assert twice.state == GRANTED
    assert twice.signatures[1].reason == "Measured it myself."
    assert twice.signatures[1].printed_name == eve.person.word.title()
    assert twice.HasField("grant_time")

    assert ann.get(asked.name, fresh(twice)) == twice
    for name in ("", asked.name):
        answer = court.check(version, name)
        assert answer.is_governed
        assert answer.approval == asked.name


def test_an_approval_is_for_the_model_by_whatever_name_it_is_asked(
    court: Court, ann: Caller, bob: Caller
) -> None:
    version = court.governed()
    other = version.replace("/models/m-", "/models/n-")
    court.versions.known[other] = court.versions.known[version]  # as metadata follows a rename
    asked = ann.ask(other)
    assert asked.version == version
    assert asked.target == f"{version.rpartition('/versions/')[0]}/stages/production"
    granted = bob.sign(asked.name)
    assert court.check(version).approval == granted.name


def test_what_is_written_is_what_is_read(court: Court, ann: Caller, bob: Caller) -> None:
    version = court.register()
    court.publish(version, quorum=2)
    asked = ann.ask(version)
    assert bob.get(asked.name, fresh(asked)) == asked
    rejected = bob.reject(asked.name, "Drifts.")
    assert (rejected.state, rejected.signatures[0].reason) == (REJECTED, "Drifts.")
    assert bob.get(asked.name, fresh(rejected)) == rejected
    granted = bob.sign(ann.ask(court.governed()).name)
    revoked = ann.revoke(granted.name)
    assert revoked.state == REVOKED
    assert bob.get(granted.name, fresh(revoked)) == revoked


@pytest.mark.requirement("S8")
def test_the_record_and_the_words_are_what_is_signed(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed())
    prepared = bob.prepare(asked.name, reason="Fine.")
    record = SigningRecord.from_bytes(prepared.record)
    assert prepared.display_text == display_text(record)
    assert (record.approval, record.nonce) == (asked.name, asked.nonce)
    assert (record.subject.name, record.subject.digest) == (asked.version, DIGEST)
    reason, printed = prepared.reason, prepared.printed_name
    assert personal.matches("Fine.", reason.salt, bytes.fromhex(record.reason_commitment))
    commitment = bytes.fromhex(record.printed_name_commitment)
    assert personal.matches(printed.clear, printed.salt, commitment)


@pytest.mark.requirement("W3")
def test_the_submitter_neither_signs_nor_rejects(court: Court, ann: Caller) -> None:
    asked = ann.ask(court.governed())
    with refused("SELF_APPROVAL"):
        ann.sign(asked.name)
    with refused("SELF_APPROVAL"):
        ann.reject(asked.name, "No.")


def test_a_person_signs_once_whatever_the_key(court: Court, ann: Caller, bob: Caller) -> None:
    asked = ann.ask(court.governed(2))
    bob.sign(asked.name)
    with refused("ALREADY_SIGNED"):
        bob.sign(asked.name)
    second = Person(bob.person.word, key_number=1)
    bob.enrol(second)
    with refused("ALREADY_SIGNED"):
        replace(bob, person=second).sign(asked.name)


def test_a_signature_sent_twice_counts_once_and_is_answered_twice(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed(2))
    request = bob.request_to_sign(asked.name)
    first = court.stub.SignApproval(request, metadata=bob.metadata)
    bob.revoke_key()
    assert court.stub.SignApproval(request, metadata=bob.metadata) == first


def test_an_approval_asked_for_twice_is_one(court: Court, ann: Caller) -> None:
    version, request_id = court.governed(), str(uuid4())
    first = ann.ask(version, request_id)
    court.versions.is_away = True
    try:
        assert ann.ask(version, request_id) == first
    finally:
        court.versions.is_away = False


@pytest.mark.requirement("S2")
def test_a_copied_signature_is_refused(court: Court, ann: Caller, bob: Caller) -> None:
    version = court.governed()
    one, other = ann.ask(version), ann.ask(version)
    copied = bob.request_to_sign(one.name)
    copied.name = other.name
    with refused("BAD_SIGNATURE"):
        court.stub.SignApproval(copied, metadata=bob.metadata)


def test_a_revoked_key_signs_no_more(court: Court, ann: Caller, bob: Caller) -> None:
    asked = ann.ask(court.governed())
    prepared = bob.request_to_sign(asked.name)
    bob.revoke_key()
    with refused("KEY_NOT_ENROLLED"):
        court.stub.SignApproval(prepared, metadata=bob.metadata)
    with refused("KEY_NOT_ENROLLED"):
        bob.prepare(asked.name)


@pytest.mark.requirement("S3", "S4")
def test_a_stolen_session_without_the_key_signs_nothing(
    court: Court, ann: Caller, bob: Caller
) -> None:
    asked = ann.ask(court.governed())
    request = bob.request_to_sign(asked.name)
    thief = Person("thief")
    request.signature = dsse.sign(thief.pair.private, SIGNATURE_TYPE, request.record)
    with refused("BAD_SIGNATURE"):
        court.stub.SignApproval(request, metadata=bob.metadata)


def test_an_open_approval_is_not_revoked_and_a_closed_one_not_signed(
    court: Court, ann: Caller, bob: Caller, eve: Caller
) -> None:
    asked = ann.ask(court.governed())
    with refused("NOT_GRANTED"):
        eve.revoke(asked.name)
    bob.sign(asked.name)
    with refused("NOT_OPEN"):
        eve.sign(asked.name)
    with refused("REQUIRED"):
        eve.revoke(asked.name, "  ")


@pytest.mark.requirement("A4")
def test_a_rejection_needs_a_reason(court: Court, ann: Caller, bob: Caller) -> None:
    asked = ann.ask(court.governed())
    with refused("REQUIRED"):
        bob.prepare(asked.name, Meaning.MEANING_REJECTED, " ")


def test_what_no_policy_governs_needs_no_approval(court: Court, ann: Caller) -> None:
    version = court.register()
    with refused("NOT_GOVERNED"):
        ann.ask(version)
    answer = court.check(version)
    assert not answer.is_governed
    assert not answer.approval


def test_an_unknown_or_archived_version_is_refused(court: Court, ann: Caller) -> None:
    version = court.governed()
    with refused("NOT_FOUND"):
        ann.ask(f"{version}0")
    court.versions.known[version].state = State.STATE_ARCHIVED
    with refused("VERSION_ARCHIVED"):
        ann.ask(version)


def test_without_metadata_nothing_is_asked_for(court: Court, ann: Caller) -> None:
    version = court.governed()
    court.versions.is_away = True
    try:
        with refused("UNAVAILABLE"):
            ann.ask(version)
    finally:
        court.versions.is_away = False


def test_metadata_is_asked_for_what_was_written_before(court: Court, ann: Caller) -> None:
    asked = ann.ask(court.governed())
    told = [token.decode(each) for each in court.versions.tokens[-2:]]
    revision = int(asked.etag.strip('"'))
    assert told == [revision - 1, revision]  # once more, whether it changed meanwhile


def test_a_request_of_another_namespace_or_model_is_refused(court: Court, ann: Caller) -> None:
    version = court.governed()
    with refused("MALFORMED"):
        ann.ask(version, target=f"{NAMESPACE}/models/other/stages/production")
    foreign = version.replace("namespaces/default", "namespaces/other")
    with refused("MALFORMED"):
        ann.ask(foreign)


def test_the_inbox_of_a_signer(court: Court, ann: Caller, bob: Caller, eve: Caller) -> None:
    version = court.governed(2)
    signed, waiting = ann.ask(version), ann.ask(version)
    last = bob.sign(signed.name)

    def inbox(person: Caller) -> list[str]:
        text = f'waiting_for = "{person.name}" AND version = "{version}"'
        return [each.name for each in person.list(text, fresh(last)).approvals]

    assert inbox(bob) == [waiting.name]
    assert inbox(eve) == [waiting.name, signed.name]
    assert inbox(ann) == []


def test_lists_are_filtered_and_paged_newest_first(court: Court, ann: Caller, bob: Caller) -> None:
    version = court.governed()
    asked = [ann.ask(version) for _ in range(3)]
    last = bob.sign(asked[1].name)
    mine = f'version = "{version}"'
    granted = ann.list(f'{mine} AND state = "GRANTED"', fresh(last))
    assert [each.name for each in granted.approvals] == [asked[1].name]
    first = ann.list(mine, fresh(last), page_size=2)
    assert [each.name for each in first.approvals] == [asked[2].name, asked[1].name]
    second = ann.list(mine, page_size=2, page_token=first.next_page_token)
    assert [each.name for each in second.approvals] == [asked[0].name]
    assert not second.next_page_token
    with refused("BAD_FILTER"):
        ann.list('colour = "red"')


def test_an_old_etag_is_refused(court: Court, ann: Caller, bob: Caller, eve: Caller) -> None:
    asked = ann.ask(court.governed(3))
    request = bob.request_to_sign(asked.name)
    eve.sign(asked.name)
    request.etag = asked.etag
    with refused("ETAG_MISMATCH"):
        court.stub.SignApproval(request, metadata=bob.metadata)


@pytest.mark.slow
@pytest.mark.requirement("W4")
def test_64_signers_race_for_the_last_place(court: Court, ann: Caller, bob: Caller) -> None:
    asked = ann.ask(court.governed(2))
    bob.sign(asked.name)
    people = [court.someone(f"racer{number}") for number in range(64)]
    requests = [person.request_to_sign(asked.name) for person in people]

    def race(number: int) -> str:
        try:
            court.stub.SignApproval(requests[number], metadata=people[number].metadata, timeout=30)
        except grpc.RpcError as error:
            return reason_of(error)
        return "signed"

    with ThreadPoolExecutor(64) as threads:
        outcomes = list(threads.map(race, range(64)))
    assert sorted(set(outcomes)) == ["NOT_OPEN", "signed"]
    assert outcomes.count("signed") == 1
    request = api.GetApprovalRequest(name=asked.name, at_least_as_fresh="")
    told = court.stub.GetApproval(request, metadata=ann.metadata).approval
    assert told.state == GRANTED
    assert len(told.signatures) == 2


def test_people_call_check_grant_in_vain(court: Court) -> None:
    version = court.governed()
    request = api.CheckGrantRequest(
        target=f"{version.rpartition('/versions/')[0]}/stages/production",
        version=version,
        manifest_digest=DIGEST,
    )
    with refused("NOT_ALLOWED"):
        court.stub.CheckGrant(request, metadata=court.user(OWNER))
