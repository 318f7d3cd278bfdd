"""DSSE: what is signed, and the one form of the envelope."""

import base64
import json

import pytest

from assay_trust import dsse
from assay_trust.dsse import Envelope, Signature
from assay_trust.errors import InvalidKey, InvalidSignature, MalformedEnvelope
from assay_trust.record import ENROLMENT_TYPE, SIGNATURE_TYPE
from tests.unit.assay_trust.examples import KEY, OTHER, PAIR, RECORD

SEALED = dsse.seal(PAIR.private, KEY, SIGNATURE_TYPE, RECORD.to_bytes())
SIG = base64.b64encode(bytes(64)).decode()


def test_the_encoding_is_that_of_the_specification() -> None:
    encoded = dsse.pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_count_bytes() -> None:
    assert dsse.pae("é", "é".encode()) == "DSSEv1 2 é 2 é".encode()


def test_an_envelope_opens_under_its_key() -> None:
    assert dsse.open_(PAIR.public, SIGNATURE_TYPE, SEALED) == RECORD.to_bytes()


def test_an_envelope_does_not_open_under_another_key_or_type() -> None:
    with pytest.raises(InvalidSignature):
        dsse.open_(OTHER.public, SIGNATURE_TYPE, SEALED)
    with pytest.raises(InvalidSignature):
        dsse.open_(PAIR.public, ENROLMENT_TYPE, SEALED)


def test_a_signature_of_one_type_is_none_of_another() -> None:
    signature = dsse.sign(PAIR.private, SIGNATURE_TYPE, b"x")
    with pytest.raises(InvalidSignature):
        dsse.verify(PAIR.public, ENROLMENT_TYPE, b"x", signature)


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        dsse.verify(PAIR.public, SIGNATURE_TYPE, b"x", signature)


def test_a_signature_plus_the_group_order_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    good = dsse.sign(PAIR.private, SIGNATURE_TYPE, b"x")
    larger = int.from_bytes(good[32:], "little") + order
    with pytest.raises(InvalidSignature):
        dsse.verify(PAIR.public, SIGNATURE_TYPE, b"x", good[:32] + larger.to_bytes(32, "little"))


def test_a_key_that_is_no_key_is_refused() -> None:
    with pytest.raises(InvalidKey):
        dsse.verify(b"", SIGNATURE_TYPE, b"x", bytes(64))
    with pytest.raises(InvalidKey):
        dsse.sign(b"", SIGNATURE_TYPE, b"x")


def test_two_signatures_do_not_open_as_one() -> None:
    one = dsse.decode(SEALED)
    both = dsse.encode(Envelope(one.payload_type, one.payload, one.signatures * 2))
    with pytest.raises(InvalidSignature, match="exactly one"):
        dsse.open_(PAIR.public, SIGNATURE_TYPE, both)


def test_the_number_of_signatures_and_the_size_are_bounded() -> None:
    for number in (0, dsse.MAX_SIGNATURES + 1):
        with pytest.raises(MalformedEnvelope):
            dsse.encode(Envelope("t", b"", (Signature("", b""),) * number))
    with pytest.raises(MalformedEnvelope):
        dsse.encode(Envelope("t", bytes(dsse.MAX_ENVELOPE_BYTES), (Signature("", b""),)))
    with pytest.raises(MalformedEnvelope):
        dsse.decode(b" " * (dsse.MAX_ENVELOPE_BYTES + 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        "\ud83d",
        '{"payload":"","payloadType":"t","signatures":[]}',
        f'{{"payload":"","payloadType":"t","signatures":[{{"sig":"{SIG}"}}]}}',
        f'{{"payload":"","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}","x":1}}]}}',
        f'{{"payload":"","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}],"x":1}}',
        f'{{"payload":"","payload":"","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload":"AB==","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload":"AA","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload":"-_==","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload":"é","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload":"A A=","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload":"","payloadType":"\\ud800","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
        f'{{"payload": "","payloadType":"t","signatures":[{{"keyid":"","sig":"{SIG}"}}]}}',
    ],
)
def test_any_other_form_of_envelope_is_refused(text: str) -> None:
    with pytest.raises(MalformedEnvelope):
        dsse.decode(text.encode("utf-8", "surrogatepass"))


def test_any_reader_of_json_finds_the_fields_of_the_specification() -> None:
    value = json.loads(SEALED)
    assert value["payloadType"] == SIGNATURE_TYPE
    assert base64.standard_b64decode(value["payload"]) == RECORD.to_bytes()
    assert value["signatures"][0]["keyid"] == KEY
