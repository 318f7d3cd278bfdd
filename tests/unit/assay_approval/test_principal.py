"""The rules of principals and of key claims, told as stories."""

from dataclasses import replace
from datetime import timedelta

import pytest

from assay.approval.v1.events_pb2 import KeyClaimed, KeyEnrolled, KeyRevoked, PrincipalCreated
from assay.approval.v1.resources_pb2 import KeyKind, PasskeyData
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay_approval.domain.key import KEY, ClaimKey
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.principal_commands import CreatePrincipal, Enrol, RevokeKey
from assay_events.decider import Forbidden
from assay_events.spec import Spec
from assay_trust import dsse
from assay_trust.record import ENROLMENT_TYPE, EnrolmentRecord
from tests.unit.assay_approval.people import BOB, DEPLOYMENT, EVE, NOW, Person, text

principal, claim = Spec(PRINCIPAL), Spec(KEY)


def created(
    person: Person = BOB, kind: ActorKind.ValueType = ActorKind.ACTOR_KIND_HUMAN
) -> PrincipalCreated:
    return PrincipalCreated(
        name=person.name, kind=kind, printed_name=text("Bob"), login=text("bob"), founding=True
    )


def enrolment(person: Person, **changes: object) -> EnrolmentRecord:
    record = EnrolmentRecord(
        deployment=DEPLOYMENT,
        principal=person.name,
        key=person.key,
        public_key=person.pair.public.hex(),
        time=NOW,
        nonce="ab" * 32,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def enrol(person: Person = BOB, record: EnrolmentRecord | None = None) -> Enrol:
    data = (record or enrolment(person)).to_bytes()
    return Enrol(
        principal=person.name,
        public_key=person.pair.public,
        kind=KeyKind.KEY_KIND_ED25519,
        record=data,
        signature=dsse.sign(person.pair.private, ENROLMENT_TYPE, data),
        passkey=PasskeyData(),
        is_owner=False,
        founding=True,
        deployment=DEPLOYMENT,
        at=NOW,
    )


def enrolled(person: Person = BOB) -> KeyEnrolled:
    command = enrol(person)
    return KeyEnrolled(
        name=person.key,
        public_key=command.public_key,
        record=command.record,
        signature=command.signature,
        kind=command.kind,
        founding=True,
    )


def revoked(person: Person = BOB) -> KeyRevoked:
    return KeyRevoked(name=person.key, public_key=person.pair.public)


def test_a_caller_becomes_known_once() -> None:
    command = CreatePrincipal(
        BOB.name, ActorKind.ACTOR_KIND_HUMAN, text("Bob"), text("bob"), founding=True
    )
    principal.given().when(command).then(created())
    principal.given(created()).when(command).then_nothing()


def test_a_person_enrols_a_key_by_signing_with_it() -> None:
    principal.given(created()).when(enrol()).then(enrolled())
    assert PRINCIPAL.fold([created(), enrolled()]).signing_keys == {BOB.key: BOB.pair.public}


def test_enrolling_the_same_key_again_changes_nothing() -> None:
    principal.given(created(), enrolled()).when(enrol()).then_nothing()


def test_a_person_may_have_two_keys() -> None:
    second = Person("bob", key_number=1)
    principal.given(created(), enrolled()).when(enrol(second)).then(enrolled(second))


def test_a_revoked_key_is_never_enrolled_again() -> None:
    outcome = principal.given(created(), enrolled(), revoked()).when(enrol())
    outcome.then_rejected(Reason.REASON_KEY_TAKEN)


def test_the_owner_enrols_no_key() -> None:
    outcome = principal.given(created()).when(replace(enrol(), is_owner=True))
    refusal = outcome.then_rejected(Reason.REASON_OWNER_MAY_NOT_SIGN)
    assert isinstance(refusal, Forbidden)


def test_a_workload_enrols_no_key() -> None:
    machine = created(kind=ActorKind.ACTOR_KIND_WORKLOAD)
    principal.given(machine).when(enrol()).then_rejected(Reason.REASON_HUMAN_REQUIRED)


def test_an_unknown_principal_enrols_no_key() -> None:
    principal.given().when(enrol()).then_rejected(Reason.REASON_NOT_FOUND)


def test_a_key_enrols_only_with_its_own_signature() -> None:
    forged = replace(enrol(), signature=enrol(EVE).signature)
    principal.given(created()).when(forged).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_a_key_enrols_only_for_whom_the_record_names() -> None:
    stolen = replace(enrol(EVE), principal=BOB.name)
    principal.given(created()).when(stolen).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_another_public_key_than_the_records_is_refused() -> None:
    swapped = replace(enrol(), public_key=EVE.pair.public)
    principal.given(created()).when(swapped).then_rejected(Reason.REASON_BAD_SIGNATURE)


def test_an_enrolment_in_another_deployment_is_refused() -> None:
    foreign = enrol(record=enrolment(BOB, deployment="0d9a3a0e-3c0f-4a55-8f3a-00000000000f"))
    principal.given(created()).when(foreign).then_rejected(Reason.REASON_BAD_SIGNATURE)


@pytest.mark.parametrize("minutes", [-11, 11])
def test_a_stale_enrolment_is_refused(minutes: int) -> None:
    stale = enrol(record=enrolment(BOB, time=NOW + timedelta(minutes=minutes)))
    principal.given(created()).when(stale).then_rejected(Reason.REASON_STALE_RECORD)


def test_an_enrolment_that_is_no_record_is_refused() -> None:
    nonsense = replace(enrol(), record=b"{}")
    principal.given(created()).when(nonsense).then_rejected(Reason.REASON_MALFORMED)


def test_a_principal_revokes_its_own_key() -> None:
    command = RevokeKey(BOB.key, actor=BOB.name, is_owner=False)
    principal.given(created(), enrolled()).when(command).then(revoked())
    assert not PRINCIPAL.fold([created(), enrolled(), revoked()]).signing_keys


def test_the_owner_revokes_anybodys_key() -> None:
    command = RevokeKey(BOB.key, actor=EVE.name, is_owner=True)
    principal.given(created(), enrolled()).when(command).then(revoked())


def test_somebody_else_revokes_no_key() -> None:
    command = RevokeKey(BOB.key, actor=EVE.name, is_owner=False)
    outcome = principal.given(created(), enrolled()).when(command)
    outcome.then_rejected(Reason.REASON_NOT_ALLOWED)


def test_revoking_twice_changes_nothing_and_an_unknown_key_is_not_found() -> None:
    command = RevokeKey(BOB.key, actor=BOB.name, is_owner=False)
    principal.given(created(), enrolled(), revoked()).when(command).then_nothing()
    principal.given(created()).when(command).then_rejected(Reason.REASON_NOT_FOUND)


def test_a_bogus_enrolment_on_the_stream_does_not_count() -> None:
    unproven, foreign = enrolled(), enrolled(EVE)
    unproven.signature = bytes(64)
    for bogus in (unproven, foreign):
        assert not PRINCIPAL.fold([created(), bogus]).keys
    assert not PRINCIPAL.fold([enrolled()]).keys


def test_an_enrolment_after_the_revocation_does_not_count() -> None:
    state = PRINCIPAL.fold([created(), enrolled(), revoked(), enrolled()])
    assert not state.signing_keys


def test_a_key_is_claimed_once_and_by_one_principal() -> None:
    claimed = KeyClaimed(
        name=f"keys/{BOB.pair.public.hex()}/{BOB.name}", public_key=BOB.pair.public
    )
    claim.given().when(ClaimKey(BOB.pair.public, BOB.name)).then(claimed)
    claim.given(claimed).when(ClaimKey(BOB.pair.public, BOB.name)).then_nothing()
    by_eve = ClaimKey(BOB.pair.public, EVE.name)
    claim.given(claimed).when(by_eve).then_rejected(Reason.REASON_KEY_TAKEN)


def test_a_second_claim_on_the_stream_does_not_count() -> None:
    first, second = (
        KeyClaimed(name=f"keys/{BOB.pair.public.hex()}/{each.name}") for each in (BOB, EVE)
    )
    assert KEY.fold([first, second]).principal == BOB.name
