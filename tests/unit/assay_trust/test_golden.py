"""The vectors that every implementation, in any language and for ever, must reproduce."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest

from assay_trust import canonical, digests, dsse, keyfiles, keys, personal, webauthn
from assay_trust.display import display_text
from assay_trust.errors import InvalidKey, InvalidSignature, NotCanonical
from assay_trust.record import (
    ENDORSEMENT_TYPE,
    ENROLMENT_TYPE,
    SIGNATURE_TYPE,
    EndorsementRecord,
    EnrolmentRecord,
    Meaning,
    SigningRecord,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "trust"
Vector = dict[str, str]
Read = Callable[[bytes], SigningRecord | EndorsementRecord | EnrolmentRecord]
RECORDS: dict[str, Read] = {
    SIGNATURE_TYPE: SigningRecord.from_bytes,
    ENDORSEMENT_TYPE: EndorsementRecord.from_bytes,
    ENROLMENT_TYPE: EnrolmentRecord.from_bytes,
}


class RecordVector(TypedDict):
    name: str
    fields: dict[str, canonical.Value]
    canonical: str
    canonical_hex: str
    digest: str
    display: str
    payload_type: str
    pae_digest: str
    private_key: str
    public_key: str
    signature: str


def _vectors(file: str, part: str = "vectors") -> list[Vector]:
    vectors: list[Vector] = json.loads((GOLDEN / f"{file}.json").read_text())[part]
    assert vectors
    return vectors


def _records(part: str) -> list[RecordVector]:
    vectors: list[RecordVector] = json.loads((GOLDEN / "record.json").read_text())[part]
    assert vectors
    return vectors


@pytest.mark.parametrize("vector", _vectors("canonical", "accepted"), ids=lambda v: v["name"])
def test_a_value_has_the_recorded_spelling(vector: Vector) -> None:
    data = bytes.fromhex(vector["hex"])
    assert canonical.encode(vector["value"]) == data
    assert canonical.decode(data) == vector["value"]


@pytest.mark.parametrize("vector", _vectors("canonical", "refused"), ids=lambda v: v["name"])
def test_recorded_misspellings_are_refused(vector: Vector) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(bytes.fromhex(vector["hex"]))


@pytest.mark.parametrize("vector", _records("signing"), ids=lambda v: v["name"])
def test_a_signing_record_reads_as_recorded(vector: RecordVector) -> None:
    record = SigningRecord.from_bytes(vector["canonical"].encode())
    assert record.to_bytes() == vector["canonical"].encode()
    assert display_text(record) == vector["display"]


@pytest.mark.parametrize("vector", _records("endorsement"), ids=lambda v: v["name"])
def test_an_endorsement_record_reads_as_recorded(vector: RecordVector) -> None:
    record = EndorsementRecord.from_bytes(vector["canonical"].encode())
    assert record.to_bytes() == vector["canonical"].encode()
    assert display_text(record) == vector["display"]


@pytest.mark.parametrize("vector", _records("enrolment"), ids=lambda v: v["name"])
def test_an_enrolment_record_reads_as_recorded(vector: RecordVector) -> None:
    record = EnrolmentRecord.from_bytes(vector["canonical"].encode())
    assert record.to_bytes() == vector["canonical"].encode()


@pytest.mark.parametrize(
    "vector",
    [*_records("signing"), *_records("endorsement"), *_records("enrolment")],
    ids=lambda v: v["name"],
)
def test_a_record_is_spelled_and_signed_as_recorded(vector: RecordVector) -> None:
    data, kind = bytes.fromhex(vector["canonical_hex"]), vector["payload_type"]
    assert canonical.encode(vector["fields"]) == data == vector["canonical"].encode()
    assert digests.sha256(data) == vector["digest"]
    assert digests.sha256(dsse.pae(kind, data)) == vector["pae_digest"]
    pair = keys.from_private(bytes.fromhex(vector["private_key"]))
    assert pair.public.hex() == vector["public_key"]
    assert dsse.sign(pair.private, kind, data).hex() == vector["signature"]


def test_each_kind_of_record_has_its_payload_type() -> None:
    kinds = {
        "signing": SIGNATURE_TYPE,
        "endorsement": ENDORSEMENT_TYPE,
        "enrolment": ENROLMENT_TYPE,
    }
    for part, kind in kinds.items():
        assert {vector["payload_type"] for vector in _records(part)} == {kind}


def test_every_meaning_has_a_recorded_signature() -> None:
    recorded = {vector["fields"]["meaning"] for vector in _records("signing")}
    assert recorded == {meaning.value for meaning in Meaning}


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("vector", _vectors("dsse"), ids=lambda v: v["name"])
def test_a_signature_comes_out_as_recorded(vector: Vector) -> None:
    seed, payload = bytes.fromhex(vector["private_key"]), bytes.fromhex(vector["payload"])
    public, kind = bytes.fromhex(vector["public_key"]), vector["payload_type"]
    assert keys.from_private(seed).public == public
    assert keys.key_id(public) == vector["key_id"]
    assert dsse.pae(kind, payload).hex() == vector["pae"]
    assert digests.sha256(dsse.pae(kind, payload)) == vector["pae_digest"]
    assert dsse.sign(seed, kind, payload).hex() == vector["signature"]
    assert dsse.seal(seed, vector["keyid"], kind, payload) == vector["envelope"].encode()
    assert dsse.open_(public, kind, vector["envelope"].encode()) == payload


@pytest.mark.parametrize("vector", _vectors("commitments"), ids=lambda v: v["name"])
def test_a_commitment_comes_out_as_recorded(vector: Vector) -> None:
    commitment = personal.commit(vector["text"], bytes.fromhex(vector["salt"]))
    assert commitment.hex() == vector["commitment"]


@pytest.mark.parametrize("vector", _vectors("keyfile"), ids=lambda v: v["name"])
def test_a_recorded_key_file_opens_for_ever(vector: Vector) -> None:
    pair = keyfiles.open_(vector["file"].encode(), vector["passphrase"])
    assert pair.private.hex() == vector["private_key"]


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("vector", _vectors("passkey", "accepted"), ids=lambda v: v["name"])
def test_a_recorded_assertion_holds_for_ever(vector: Vector) -> None:
    kind, record = vector["payload_type"], vector["record"].encode()
    assert webauthn.challenge(kind, record).hex() == vector["challenge"]
    assert RECORDS[kind](record).to_bytes() == record
    assert _verify(vector).sign_count == 1


@pytest.mark.parametrize("vector", _vectors("passkey", "refused"), ids=lambda v: v["name"])
def test_a_recorded_false_assertion_is_refused(vector: Vector) -> None:
    with pytest.raises((InvalidSignature, InvalidKey)):
        _verify(vector)


@pytest.mark.parametrize("vector", _vectors("passkey", "registered"), ids=lambda v: v["name"])
def test_a_recorded_registration_makes_the_recorded_passkey(vector: Vector) -> None:
    made = webauthn.verify_registration(
        bytes.fromhex(vector["challenge"]),
        attestation_object=bytes.fromhex(vector["attestation_object"]),
        client_data_json=vector["client_data_json"].encode(),
        rp_id=vector["rp_id"],
        origin=vector["origin"],
    )
    assert (made.public_key.hex(), made.key_id) == (vector["public_key"], vector["key_id"])
    assert (made.credential_id.hex(), made.aaguid) == (vector["credential_id"], vector["aaguid"])


def _verify(vector: Vector) -> webauthn.Assertion:
    return webauthn.verify_assertion(
        bytes.fromhex(vector["public_key"]),
        vector["record"].encode(),
        vector["payload_type"],
        authenticator_data=bytes.fromhex(vector["authenticator_data"]),
        client_data_json=vector["client_data_json"].encode(),
        signature=bytes.fromhex(vector["signature"]),
        rp_id=vector["rp_id"],
        origin=vector["origin"],
    )
