"""Records: exactly the fields of their form, and no malformed value."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from assay_trust import canonical, keys
from assay_trust.errors import InvalidKey, TrustError
from assay_trust.record import (
    EndorsementRecord,
    EnrolmentRecord,
    Meaning,
    Named,
    SigningRecord,
    new_nonce,
)
from tests.unit.assay_trust.examples import ANN, BEN, ENDORSEMENT, ENROLMENT, KEY, OTHER, RECORD

NO_SLUGS = ["Validator", "1st", "-a", "a-", "a_b", "a b", "a" * 64, "a\n", "é"]

MALFORMED = {
    "deployment": ["", "6A1DE1A2-52A8-4C7C-9F8E-0D7F6F3F2A10", "6a1de1a252a84c7c9f8e0d7f6f3f2a10"],
    "approval": ["", "approvals", "namespaces/default/models/fraud", "/namespaces/a/approvals/b"],
    "nonce": ["", "ab", "AB" * 32, "ab" * 65, "a" * 65, "zz" * 32],
    "target": [
        "",
        "production",
        "namespaces/default/",
        "namespaces//stages/a",
        "stages/a\nb",
        "a/e\u0301",
    ],
    "meaning": ["", "Approved", "granted"],
    "signer": ["", "principals/ben", "services/approval"],
    "key": [
        "",
        f"principals/{BEN}",
        f"principals/{BEN[:-1]}0/keys/1",
        f"principals/{BEN}/keys/a/b/c",
    ],
    "time": ["", "2026-11-24T13:24:09+00:00", "2026-11-24T13:24:09.5Z", "2026-02-30T00:00:00Z"],
    "step": NO_SLUGS,
    "role": [*NO_SLUGS, "approver:validator"],
    "delegator": ["principals/ann", f"principals/{ANN.upper()}", ANN, f"principals/{BEN}"],
    "evidence_digest": ["0", "ab" * 32, "sha256:" + "AB" * 32, "sha512:" + "ab" * 64],
    "reason_code": NO_SLUGS,
    "reason_commitment": ["0", "ab", "CD" * 32],
    "printed_name_commitment": ["Ben", "ab" * 33],
}
MALFORMED_ENDORSEMENT = {
    name: MALFORMED[name]
    for name in ("deployment", "nonce", "signer", "key", "time", "printed_name_commitment")
}
CASES = [(name, value) for name, values in MALFORMED.items() for value in values]


def _spoilt(data: bytes, **changes: canonical.Value) -> bytes:
    value = canonical.decode(data)
    assert isinstance(value, dict)
    return canonical.encode({**value, **changes})


def test_a_record_is_read_back_from_its_bytes() -> None:
    assert SigningRecord.from_bytes(RECORD.to_bytes()) == RECORD
    assert EndorsementRecord.from_bytes(ENDORSEMENT.to_bytes()) == ENDORSEMENT
    assert EnrolmentRecord.from_bytes(ENROLMENT.to_bytes()) == ENROLMENT


def test_a_record_holds_exactly_the_fields_of_its_form() -> None:
    value = canonical.decode(RECORD.to_bytes())
    assert isinstance(value, dict)
    assert set(value) == {
        "v", "deployment", "approval", "nonce", "subject", "target", "policies", "meaning",
        "signer", "key", "time", "step", "role", "delegator", "evidence_digest", "reason_code",
        "reason_commitment", "printed_name_commitment",
    }  # fmt: skip
    value = canonical.decode(ENDORSEMENT.to_bytes())
    assert isinstance(value, dict)
    assert set(value) == {
        "v", "deployment", "subject", "nonce", "signer", "key", "time", "printed_name_commitment",
    }  # fmt: skip


@pytest.mark.parametrize("name", [*MALFORMED, "v", "subject", "policies"])
def test_a_record_without_one_of_its_fields_is_refused(name: str) -> None:
    value = canonical.decode(RECORD.to_bytes())
    assert isinstance(value, dict)
    del value[name]
    with pytest.raises(TrustError):
        SigningRecord.from_bytes(canonical.encode(value))


def test_a_record_with_one_more_field_is_refused() -> None:
    with pytest.raises(TrustError, match="exactly the fields"):
        SigningRecord.from_bytes(_spoilt(RECORD.to_bytes(), comment=""))


@pytest.mark.parametrize(("name", "value"), CASES)
def test_a_malformed_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(TrustError):
        SigningRecord.from_bytes(_spoilt_raw(name, value))


def _spoilt_raw(name: str, value: str) -> bytes:
    if value.isascii():
        return _spoilt(RECORD.to_bytes(), **{name: value})
    said = getattr(RECORD, name)
    return RECORD.to_bytes().replace(f'"{name}":"{said}"'.encode(), f'"{name}":"{value}"'.encode())


@pytest.mark.parametrize("name", list(MALFORMED))
def test_a_value_of_another_type_is_refused(name: str) -> None:
    values: list[canonical.Value] = [True, [], {}]
    for value in values:
        with pytest.raises(TrustError):
            SigningRecord.from_bytes(_spoilt(RECORD.to_bytes(), **{name: value}))


@pytest.mark.parametrize(
    "subject", ["", [], {}, {"name": "a/b"}, {"name": "a/b", "digest": "sha256:1"}]
)
def test_a_malformed_subject_is_refused(subject: canonical.Value) -> None:
    with pytest.raises(TrustError):
        SigningRecord.from_bytes(_spoilt(RECORD.to_bytes(), subject=subject))


@pytest.mark.parametrize("policies", ["", True, {}, [""], [[]]])
def test_malformed_policies_are_refused(policies: canonical.Value) -> None:
    with pytest.raises(TrustError):
        SigningRecord.from_bytes(_spoilt(RECORD.to_bytes(), policies=policies))


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in MALFORMED_ENDORSEMENT.items() for value in values],
)
def test_a_malformed_value_is_refused_in_an_endorsement(name: str, value: str) -> None:
    with pytest.raises(TrustError):
        EndorsementRecord.from_bytes(_spoilt(ENDORSEMENT.to_bytes(), **{name: value}))


@pytest.mark.parametrize("name", [*MALFORMED_ENDORSEMENT, "v", "subject"])
def test_an_endorsement_without_one_of_its_fields_is_refused(name: str) -> None:
    value = canonical.decode(ENDORSEMENT.to_bytes())
    assert isinstance(value, dict)
    del value[name]
    with pytest.raises(TrustError):
        EndorsementRecord.from_bytes(canonical.encode(value))
    with pytest.raises(TrustError):
        EndorsementRecord.from_bytes(_spoilt(ENDORSEMENT.to_bytes(), **{name: []}))


def test_an_endorsement_with_one_more_field_is_refused() -> None:
    with pytest.raises(TrustError, match="exactly the fields"):
        EndorsementRecord.from_bytes(_spoilt(ENDORSEMENT.to_bytes(), meaning="approved"))


def test_a_step_a_role_and_a_delegator_are_signed_as_they_are() -> None:
    record = replace(
        RECORD, step="a", role="a1-b", delegator=f"principals/{ANN}", reason_code="a" * 63
    )
    assert SigningRecord.from_bytes(record.to_bytes()) == record


def test_nobody_lends_a_role_to_oneself() -> None:
    with pytest.raises(TrustError, match="another person"):
        replace(RECORD, delegator=RECORD.signer)


def test_policies_come_sorted_and_once() -> None:
    with pytest.raises(TrustError, match="Sort the policies"):
        replace(RECORD, policies=RECORD.policies[::-1])
    with pytest.raises(TrustError, match="Sort the policies"):
        replace(RECORD, policies=RECORD.policies[:1] * 2)
    with pytest.raises(TrustError, match="names of policies"):
        replace(RECORD, policies=(RECORD.subject,))


def test_a_record_of_another_form_is_refused() -> None:
    with pytest.raises(TrustError, match="assay/signature/v1"):
        SigningRecord.from_bytes(ENROLMENT.to_bytes())
    with pytest.raises(TrustError, match="assay/enrolment/v1"):
        EnrolmentRecord.from_bytes(RECORD.to_bytes())
    with pytest.raises(TrustError, match="assay/endorsement/v1"):
        EndorsementRecord.from_bytes(RECORD.to_bytes())
    with pytest.raises(TrustError, match="assay/signature/v1"):
        SigningRecord.from_bytes(ENDORSEMENT.to_bytes())
    with pytest.raises(TrustError):
        SigningRecord.from_bytes(b'"assay/signature/v1"')


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 11, 24, 13, 24, 9),  # noqa: DTZ001 - a time without zone is what is refused
        datetime(2026, 11, 24, 13, 24, 9, 1, tzinfo=UTC),
        datetime(2026, 11, 24, 13, 24, 9, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_times_are_whole_seconds_of_utc(time: datetime) -> None:
    with pytest.raises(TrustError):
        replace(RECORD, time=time)


def test_a_text_that_has_no_canonical_form_makes_no_record() -> None:
    with pytest.raises(TrustError, match="NFC"):
        replace(RECORD, target="namespaces/e\u0301/stages/a")
    with pytest.raises(TrustError, match="surrogates"):
        replace(RECORD, target="namespaces/\ud800/stages/a")


def test_an_enrolled_key_is_named_by_its_digest() -> None:
    with pytest.raises(TrustError, match="key id"):
        replace(ENROLMENT, public_key=OTHER.public.hex())
    with pytest.raises(TrustError, match="key id"):
        replace(ENROLMENT, key=f"principals/{BEN}/keys/1")


def test_a_key_under_which_anyone_can_sign_is_not_enrolled() -> None:
    weak = bytes([1]) + bytes(31)
    with pytest.raises(InvalidKey):
        replace(
            ENROLMENT,
            public_key=weak.hex(),
            key=f"principals/{BEN}/keys/{keys.key_id(weak)}",
        )


def test_nonces_are_fresh_and_fit_a_record() -> None:
    assert new_nonce() != new_nonce()
    assert replace(RECORD, nonce=new_nonce()).key == KEY


def test_every_meaning_is_signed_as_its_word() -> None:
    for meaning in Meaning:
        assert f'"meaning":"{meaning}"'.encode() in replace(RECORD, meaning=meaning).to_bytes()


def test_a_named_resource_has_a_name_and_a_digest() -> None:
    with pytest.raises(TrustError):
        Named("fraud", RECORD.subject.digest)
    with pytest.raises(TrustError):
        Named(RECORD.subject.name, "")
