"""Passkeys: a verified person signed this record, on this page, with this key; or it is refused."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypedDict

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from assay_trust import dsse, keys
from assay_trust.errors import InvalidKey, InvalidSignature
from assay_trust.record import ENDORSEMENT_TYPE, SIGNATURE_TYPE
from assay_trust.webauthn import (
    Assertion,
    Registration,
    challenge,
    verify_assertion,
    verify_registration,
)
from tests.support.authenticator import (
    ATTESTED,
    BACKED_UP,
    EXTENDED,
    ORIGIN,
    PRESENT,
    RP_ID,
    VERIFIED,
    Authenticator,
)
from tests.unit.assay_trust.examples import PAIR, RECORD

DATA = RECORD.to_bytes()
ASKED = challenge(SIGNATURE_TYPE, DATA)
ALGORITHMS = [ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()]
Change = Callable[[Authenticator], Authenticator]


class Answer(TypedDict):
    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes


def answer(authenticator: Authenticator, kind: str = SIGNATURE_TYPE) -> Answer:
    """Return what an authenticator answers when asked to sign the record."""
    data, client_data, signature = authenticator.sign(DATA, kind)
    return {
        "authenticator_data": data,
        "client_data_json": client_data,
        "signature": signature,
    }


def verified(public_key: bytes, given: Answer, last_sign_count: int = 0) -> Assertion:
    """Return the verdict on an answer for the record."""
    return verify_assertion(
        public_key,
        DATA,
        SIGNATURE_TYPE,
        **given,
        rp_id=RP_ID,
        origin=ORIGIN,
        last_sign_count=last_sign_count,
    )


def registered(attestation: bytes, client_data: bytes) -> Registration:
    """Return the verdict on a registration."""
    return verify_registration(
        ASKED,
        attestation_object=attestation,
        client_data_json=client_data,
        rp_id=RP_ID,
        origin=ORIGIN,
    )


def bomb(levels: int = 64) -> bytes:
    """Return CBOR of a few hundred bytes that unfolds into 2 ** `levels` items."""
    head = b"".join(b"\xd8\x1c\x82" for _ in range(levels))
    references = (b"\xd8\x1d" + cbor2.dumps(level + 1) for level in reversed(range(levels - 1)))
    return head + b"\x01\x01" + b"".join(references)


@pytest.mark.parametrize("key", ALGORITHMS)
def test_a_passkey_signs_a_record(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
    authenticator = Authenticator(key)
    made = registered(*authenticator.register(ASKED))
    assert made.public_key == authenticator.public_key
    assert made.key_id == keys.key_id(made.public_key)
    assert made.credential_id == bytes(range(16))
    assert made.aaguid == "00000000-0000-0000-0000-000000000000"
    assert verified(made.public_key, answer(authenticator)) == Assertion(
        sign_count=0, is_count_behind=False, is_backed_up=False
    )


def test_the_challenge_is_the_digest_of_what_an_ed25519_key_would_sign() -> None:
    assert hashlib.sha256(dsse.pae(SIGNATURE_TYPE, DATA)).digest() == ASKED


REFUSED: list[tuple[str, Change]] = [
    ("origin is another", lambda a: replace(a, origin="https://assay.example.evil")),
    ("origin is another", lambda a: replace(a, origin="http://assay.example")),
    ("origin is another", lambda a: replace(a, origin="https://assay.example/")),
    ("relying party is another", lambda a: replace(a, rp_id="example")),
    ("nobody was verified", lambda a: replace(a, flags=PRESENT)),
    ("nobody was present", lambda a: replace(a, flags=VERIFIED)),
    ("nobody was present", lambda a: replace(a, flags=0)),
    ("does not fit|does not hold", lambda a: replace(a, flags=PRESENT | VERIFIED | 0x10)),
    ("not in a frame", lambda a: replace(a, client_data={"crossOrigin": True})),
    ("not in a frame", lambda a: replace(a, client_data={"crossOrigin": "no"})),
    ("not in a frame", lambda a: replace(a, client_data={"topOrigin": "https://evil.example"})),
    ("client data of type", lambda a: replace(a, client_data={"type": "payment.get"})),
    ("client data of type", lambda a: replace(a, client_data={"type": ["webauthn.get"]})),
    ("another challenge", lambda a: replace(a, client_data={"challenge": ""})),
    ("another challenge", lambda a: replace(a, client_data={"challenge": 1})),
    ("within 4096 bytes", lambda a: replace(a, client_data={"more": "a" * 4096})),
    ("does not fit|does not hold", lambda a: replace(a, client_data={"tokenBinding": {}})),
    ("malformed", lambda a: replace(a, extensions=b"\xa1")),
    ("malformed", lambda a: replace(a, extensions=cbor2.dumps({"a": 1}) + b"\0")),
    ("malformed", lambda a: replace(a, extensions=cbor2.dumps([[[[[]]]]]))),
    ("malformed", lambda a: replace(a, extensions=bomb())),
    ("37 bytes to 4 KiB", lambda a: replace(a, extensions=cbor2.dumps("a" * 4096))),
]


@pytest.mark.parametrize(("words", "change"), REFUSED)
@pytest.mark.parametrize("key", ALGORITHMS)
def test_an_assertion_made_otherwise_is_refused(
    key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, words: str, change: Change
) -> None:
    authenticator = Authenticator(key)
    with pytest.raises(InvalidSignature, match=words):
        verified(authenticator.public_key, answer(change(authenticator)))


@pytest.mark.parametrize(("words", "change"), REFUSED)
def test_a_registration_made_otherwise_is_refused(words: str, change: Change) -> None:
    with pytest.raises(InvalidSignature, match=words):
        registered(*change(Authenticator()).register(ASKED))


def test_an_assertion_with_extensions_of_the_authenticator_holds() -> None:
    authenticator = Authenticator(extensions=cbor2.dumps({"uvm": [[2, 4, 2]]}))
    assert verified(authenticator.public_key, answer(authenticator)).sign_count == 0
    assert registered(*authenticator.register(ASKED)).public_key == authenticator.public_key


@pytest.mark.parametrize("key", ALGORITHMS)
def test_the_signature_of_another_record_is_refused(
    key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey,
) -> None:
    authenticator = Authenticator(key)
    given = answer(authenticator)
    other = replace(RECORD, step="sign-off").to_bytes()
    for record, kind in ((other, SIGNATURE_TYPE), (DATA, ENDORSEMENT_TYPE)):
        with pytest.raises(InvalidSignature, match="another challenge"):
            verify_assertion(
                authenticator.public_key, record, kind, **given, rp_id=RP_ID, origin=ORIGIN
            )


@pytest.mark.parametrize("key", ALGORITHMS)
def test_the_signature_of_another_passkey_is_refused(
    key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey,
) -> None:
    for other in (Authenticator(), Authenticator(Ed25519PrivateKey.generate())):
        with pytest.raises(InvalidSignature, match="does not fit"):
            verified(other.public_key, answer(Authenticator(key)))


def test_a_signature_is_of_the_client_data_and_the_authenticator_data() -> None:
    authenticator = Authenticator()
    given = answer(authenticator)
    blank = given["client_data_json"].replace(b'", "', b'",  "')
    counted = answer(replace(authenticator, sign_count=1))["authenticator_data"]
    changed: list[Answer] = [
        {**given, "client_data_json": blank},
        {**given, "authenticator_data": counted},
        {**given, "signature": b""},
        {**given, "signature": given["signature"][:-1]},
    ]
    assert blank != given["client_data_json"]
    for other in changed:
        with pytest.raises(InvalidSignature, match="does not fit"):
            verified(authenticator.public_key, other)


def test_a_signature_of_the_bare_record_is_refused() -> None:
    authenticator = Authenticator(Ed25519PrivateKey.from_private_bytes(PAIR.private))
    bare = dsse.sign(PAIR.private, SIGNATURE_TYPE, DATA)
    with pytest.raises(InvalidSignature, match="does not fit"):
        verified(authenticator.public_key, Answer(**{**answer(authenticator), "signature": bare}))


def test_a_hash_of_another_length_does_not_verify() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    given = answer(Authenticator(key))
    with pytest.raises(InvalidSignature, match="at most 72 bytes"):
        verified(Authenticator(key).public_key, Answer(**{**given, "signature": bytes(73)}))
    signed = given["authenticator_data"] + given["client_data_json"]
    unhashed = key.sign(signed, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature, match="does not fit"):
        verified(Authenticator(key).public_key, Answer(**{**given, "signature": unhashed}))


def test_what_a_registration_answered_does_not_sign() -> None:
    authenticator = Authenticator()
    _, client_data = authenticator.register(ASKED)
    given = answer(authenticator)
    with pytest.raises(InvalidSignature, match=r"of type webauthn\.get"):
        verified(authenticator.public_key, Answer(**{**given, "client_data_json": client_data}))
    attested = answer(replace(authenticator, flags=PRESENT | VERIFIED | ATTESTED))
    with pytest.raises(InvalidSignature, match="only there"):
        verified(authenticator.public_key, attested)


def test_what_an_assertion_answered_does_not_register() -> None:
    authenticator = Authenticator()
    attestation, client_data = authenticator.register(ASKED)
    given = answer(authenticator)
    with pytest.raises(InvalidSignature, match=r"of type webauthn\.create"):
        registered(attestation, given["client_data_json"])
    bare = {"fmt": "none", "attStmt": {}, "authData": given["authenticator_data"]}
    with pytest.raises(InvalidSignature, match="with a registration"):
        registered(cbor2.dumps(bare), client_data)


def test_a_registration_for_another_challenge_is_refused() -> None:
    with pytest.raises(InvalidSignature, match="another challenge"):
        registered(*Authenticator().register(bytes(32)))


@pytest.mark.parametrize(
    "public_key",
    [
        {1: 3, 3: -257, -1: bytes(256), -2: b"\1\0\1"},
        {1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)},
        {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)},
        {1: 1, 3: -8, -1: 6, -2: bytes(32)},
        {3: -8, 1: 1, -1: 6, -2: PAIR.public},
        {1: 7, 3: -48, -1: bytes(1312)},
        [],
        b"",
    ],
)
def test_a_key_of_another_algorithm_is_not_registered(public_key: object) -> None:
    key = cbor2.dumps(public_key)
    authenticator = Authenticator()
    attestation, client_data = authenticator.register(ASKED)
    value = cbor2.loads(attestation)
    data = value["authData"].replace(authenticator.public_key, key)
    with pytest.raises(InvalidKey):
        registered(cbor2.dumps({**value, "authData": data}), client_data)
    with pytest.raises(InvalidKey):
        verified(key, answer(authenticator))


def test_only_an_attestation_by_nobody_or_the_key_itself_is_taken() -> None:
    authenticator = Authenticator()
    attestation, client_data = authenticator.register(ASKED)
    value = cbor2.loads(attestation)
    signed = value["authData"] + hashlib.sha256(client_data).digest()
    assert isinstance(authenticator.key, ec.EllipticCurvePrivateKey)
    signature = authenticator.key.sign(signed, ec.ECDSA(SHA256()))
    own = {"alg": -7, "sig": signature}
    packed = {**value, "fmt": "packed", "attStmt": own}
    assert registered(cbor2.dumps(packed), client_data).public_key == authenticator.public_key
    forged = {**packed, "attStmt": {"alg": -7, "sig": signature[:-1]}}
    with pytest.raises(InvalidSignature, match="does not hold"):
        registered(cbor2.dumps(forged), client_data)
    others: list[object] = [
        {**packed, "attStmt": {**own, "x5c": []}},
        {**value, "fmt": "fido-u2f"},
        {**value, "fmt": "tpm"},
        {**value, "attStmt": own},
        {**value, "attStmt": []},
        {**value, "authData": ""},
        {"fmt": "none", "attStmt": {}},
        [],
    ]
    for other in others:
        with pytest.raises(InvalidSignature, match="no attestation"):
            registered(cbor2.dumps(other), client_data)


def test_a_malformed_attestation_is_refused() -> None:
    attestation, client_data = Authenticator().register(ASKED)
    for broken in (b"", attestation[:-1], attestation + b"\0", bomb(), b"\xff", b"\xbf\xff"):
        with pytest.raises(InvalidSignature, match="malformed"):
            registered(broken, client_data)
    with pytest.raises(InvalidSignature, match="within 8192 bytes"):
        registered(bytes(8193), client_data)
    doubled = b"\xa2" + 2 * (cbor2.dumps("fmt") + cbor2.dumps("none"))
    with pytest.raises(InvalidSignature, match="malformed"):
        registered(doubled, client_data)


def test_a_truncated_key_is_refused() -> None:
    authenticator = Authenticator()
    attestation, client_data = authenticator.register(ASKED)
    value = cbor2.loads(attestation)
    for length in range(len(value["authData"])):
        cut = cbor2.dumps({**value, "authData": value["authData"][:length]})
        with pytest.raises((InvalidSignature, InvalidKey)):
            registered(cut, client_data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"a"',
        b"\xff",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a":1,"a":2}',
        b"[" * 4096,
        b'{"a":' + b"9" * 4090 + b"}",
    ],
)
def test_client_data_in_another_form_is_refused(data: bytes) -> None:
    authenticator = Authenticator()
    with pytest.raises(InvalidSignature, match=r"client data.*\.$"):
        verified(
            authenticator.public_key, Answer(**{**answer(authenticator), "client_data_json": data})
        )


@pytest.mark.parametrize(
    ("last", "now", "is_behind"),
    [(0, 0, False), (0, 1, False), (6, 7, False), (7, 7, True), (8, 7, True), (7, 0, True)],
)
def test_a_count_that_does_not_go_on_is_told(last: int, now: int, is_behind: bool) -> None:
    authenticator = Authenticator(sign_count=now)
    found = verified(authenticator.public_key, answer(authenticator), last)
    assert (found.sign_count, found.is_count_behind) == (now, is_behind)


def test_a_key_that_may_be_copied_is_told() -> None:
    authenticator = Authenticator(flags=PRESENT | VERIFIED | BACKED_UP)
    assert verified(authenticator.public_key, answer(authenticator)).is_backed_up
    assert registered(*authenticator.register(ASKED)).is_backed_up


def test_an_extension_flag_without_extensions_is_refused() -> None:
    authenticator = Authenticator(flags=PRESENT | VERIFIED | EXTENDED)
    with pytest.raises(InvalidSignature, match="malformed"):
        verified(authenticator.public_key, answer(authenticator))


@pytest.mark.parametrize(
    ("words", "rp_id", "origin"),
    [
        ("relying party is another", "", ORIGIN),
        ("relying party is another", "\ud800", ORIGIN),
        ("origin is another", RP_ID, ""),
    ],
)
def test_no_page_at_all_is_no_page_of_ours(words: str, rp_id: str, origin: str) -> None:
    authenticator = Authenticator(rp_id="" if rp_id == "\ud800" else rp_id, origin=origin)
    with pytest.raises(InvalidSignature, match=words):
        verify_assertion(
            authenticator.public_key,
            DATA,
            SIGNATURE_TYPE,
            **answer(authenticator),
            rp_id=rp_id,
            origin=origin,
        )


def test_client_data_that_says_two_things_is_refused_though_it_is_signed() -> None:
    key = Ed25519PrivateKey.generate()
    given = answer(Authenticator(key))
    client_data = b'{"type": "webauthn.create", ' + given["client_data_json"][1:]
    signed = given["authenticator_data"] + hashlib.sha256(client_data).digest()
    twice: Answer = {**given, "client_data_json": client_data, "signature": key.sign(signed)}
    with pytest.raises(InvalidSignature, match="each key once"):
        verified(Authenticator(key).public_key, twice)
