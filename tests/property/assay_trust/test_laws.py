"""Laws of trust: what is written is read back, and any change of signed bytes is refused."""

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay_trust import canonical, digests, dsse, jwks, keyfiles, keys, personal, tokens
from assay_trust.canonical import Value
from assay_trust.display import display_text
from assay_trust.errors import InvalidToken, NotCanonical, TrustError, UnusableKeyFile
from assay_trust.keyfiles import Cost
from assay_trust.record import SIGNATURE_TYPE, EndorsementRecord, Meaning, Named, SigningRecord
from tests.unit.assay_trust.examples import ANN, BEN, KEY, OTHER, PAIR, RECORD

texts = st.text().map(lambda text: unicodedata.normalize("NFC", text))
names = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)
values: st.SearchStrategy[Value] = st.recursive(
    st.booleans() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
ids = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=20
).map(lambda text: unicodedata.normalize("NFC", text))
digest_texts = st.binary(max_size=4).map(digests.sha256)
policies = st.dictionaries(ids, digest_texts, max_size=4).map(
    lambda found: tuple(
        Named(f"namespaces/n/policies/{key}/versions/1", found[key])
        for key in sorted(found, key=lambda key: f"{key}/versions/1")
    )
)
slugs = st.just("") | st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
records = st.builds(
    SigningRecord,
    deployment=st.uuids().map(str),
    approval=ids.map(lambda text: f"namespaces/n/approvals/{text}"),
    nonce=st.binary(min_size=16, max_size=64).map(bytes.hex),
    subject=st.builds(Named, ids.map(lambda text: f"namespaces/n/models/{text}"), digest_texts),
    target=ids.map(lambda text: f"namespaces/n/models/m/stages/{text}"),
    policies=policies,
    meaning=st.sampled_from(Meaning),
    signer=st.just(RECORD.signer),
    key=st.just(KEY),
    time=st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0)),
    step=slugs,
    role=slugs,
    delegator=st.sampled_from(["", f"principals/{ANN}"]),
    evidence_digest=st.just("") | digest_texts,
    reason_code=slugs,
    reason_commitment=st.sampled_from(["", "ab" * 32]),
    printed_name_commitment=st.sampled_from(["", "cd" * 32]),
)
endorsements = st.builds(
    EndorsementRecord,
    deployment=st.uuids().map(str),
    subject=st.builds(Named, ids.map(lambda text: f"principals/{text}"), digest_texts),
    nonce=st.binary(min_size=16, max_size=64).map(bytes.hex),
    signer=st.just(RECORD.signer),
    key=st.just(KEY),
    time=st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0)),
    printed_name_commitment=st.sampled_from(["", "cd" * 32]),
)
positions = st.integers(min_value=0)
bits = st.integers(min_value=0, max_value=7)


def _flip(data: bytes, position: int, bit: int) -> bytes:
    """Return `data` with one bit changed."""
    changed = bytearray(data)
    changed[position % len(data)] ^= 1 << bit
    return bytes(changed)


@given(values)
def test_decode_undoes_encode(value: Value) -> None:
    assert canonical.decode(canonical.encode(value)) == value


@given(st.binary() | st.text().map(str.encode) | values.map(lambda v: json.dumps(v).encode()))
def test_what_decode_accepts_is_what_encode_writes(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except NotCanonical:
        return
    assert canonical.encode(value) == data


@given(
    values, st.sampled_from([{"indent": 1}, {"separators": (", ", ": ")}, {"ensure_ascii": True}])
)
def test_another_spelling_of_a_value_is_refused(value: Value, style: dict[str, object]) -> None:
    spelling = {"separators": (",", ":"), "ensure_ascii": False, "sort_keys": True, **style}
    other = json.dumps(value, **spelling).encode()  # type: ignore[arg-type]
    assume(other != canonical.encode(value))
    with pytest.raises(NotCanonical):
        canonical.decode(other)


@given(values, positions, st.sampled_from([b" ", b"\n", b"\t", b"\xef\xbb\xbf"]))
def test_a_blank_outside_a_text_is_refused(value: Value, position: int, blank: bytes) -> None:
    data = canonical.encode(value)
    for spelling in (blank + data, data + blank):
        with pytest.raises(NotCanonical):
            canonical.decode(spelling)


@given(values, positions, bits)
def test_no_other_bytes_spell_the_same_value(value: Value, position: int, bit: int) -> None:
    changed = _flip(canonical.encode(value), position, bit)
    try:
        assert canonical.decode(changed) != value
    except NotCanonical:
        return


@given(records)
def test_a_record_is_read_back(record: SigningRecord) -> None:
    assert SigningRecord.from_bytes(record.to_bytes()) == record


@given(records, records)
def test_two_records_never_read_the_same(one: SigningRecord, other: SigningRecord) -> None:
    assert (display_text(one) == display_text(other)) == (one == other)


@given(endorsements, endorsements)
def test_an_endorsement_is_read_back_and_reads_like_no_other(
    one: EndorsementRecord, other: EndorsementRecord
) -> None:
    assert EndorsementRecord.from_bytes(one.to_bytes()) == one
    assert (display_text(one) == display_text(other)) == (one == other)


@given(endorsements, positions, bits)
def test_one_changed_bit_makes_another_endorsement_or_none(
    record: EndorsementRecord, position: int, bit: int
) -> None:
    try:
        assert EndorsementRecord.from_bytes(_flip(record.to_bytes(), position, bit)) != record
    except TrustError:
        return


@given(st.binary() | values.map(canonical.encode))
def test_no_bytes_make_a_record_by_chance_or_raise_another_error(data: bytes) -> None:
    for read in (SigningRecord.from_bytes, EndorsementRecord.from_bytes):
        with pytest.raises(TrustError):
            read(data)


@given(records, positions, bits)
def test_one_changed_bit_makes_another_record_or_none(
    record: SigningRecord, position: int, bit: int
) -> None:
    try:
        assert SigningRecord.from_bytes(_flip(record.to_bytes(), position, bit)) != record
    except TrustError:
        return


@given(records, positions, bits)
def test_a_changed_payload_does_not_verify(record: SigningRecord, position: int, bit: int) -> None:
    payload = record.to_bytes()
    signature = dsse.sign(PAIR.private, SIGNATURE_TYPE, payload)
    dsse.verify(PAIR.public, SIGNATURE_TYPE, payload, signature)
    with pytest.raises(TrustError):
        dsse.verify(PAIR.public, SIGNATURE_TYPE, _flip(payload, position, bit), signature)


@given(st.binary(), positions, bits)
def test_a_changed_signature_does_not_verify(payload: bytes, position: int, bit: int) -> None:
    signature = _flip(dsse.sign(PAIR.private, SIGNATURE_TYPE, payload), position, bit)
    with pytest.raises(TrustError):
        dsse.verify(PAIR.public, SIGNATURE_TYPE, payload, signature)


@given(st.binary(), positions, bits)
def test_a_changed_key_does_not_verify(payload: bytes, position: int, bit: int) -> None:
    signature = dsse.sign(PAIR.private, SIGNATURE_TYPE, payload)
    with pytest.raises(TrustError):
        dsse.verify(_flip(PAIR.public, position, bit), SIGNATURE_TYPE, payload, signature)


@given(st.binary(), positions, st.integers(min_value=1, max_value=255))
def test_a_changed_byte_of_an_envelope_opens_to_nothing_else(
    payload: bytes, position: int, mask: int
) -> None:
    sealed = bytearray(dsse.seal(PAIR.private, KEY, SIGNATURE_TYPE, payload))
    sealed[position % len(sealed)] ^= mask
    try:
        opened = dsse.open_(PAIR.public, SIGNATURE_TYPE, bytes(sealed))
    except TrustError:
        return
    # Only the hint at the key lies outside the signature.
    assert opened == payload
    assert dsse.decode(bytes(sealed)).signatures[0].keyid != KEY


@given(st.text(), st.binary(max_size=200), st.binary(max_size=80))
def test_an_envelope_is_read_back(kind: str, payload: bytes, sig: bytes) -> None:
    envelope = dsse.Envelope(kind, payload, (dsse.Signature("", sig), dsse.Signature("k", sig)))
    assert dsse.decode(dsse.encode(envelope)) == envelope


@given(st.text(), st.binary(), st.text(), st.binary())
def test_two_payloads_never_share_an_encoding(a: str, b: bytes, c: str, d: bytes) -> None:
    assert (dsse.pae(a, b) == dsse.pae(c, d)) == ((a, b) == (c, d))


PASSPHRASE = "correct horse"
CHEAP = Cost(memory_kib=8, passes=1, lanes=1)
FILE = keyfiles.seal(PAIR.private, PASSPHRASE, CHEAP)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.text(min_size=8, max_size=40))
def test_a_key_file_opens_with_its_passphrase(private: bytes, passphrase: str) -> None:
    opened = keyfiles.open_(keyfiles.seal(private, passphrase, CHEAP), passphrase)
    assert opened == keys.from_private(private)


@settings(deadline=None)
@given(positions, bits)
def test_a_key_file_with_any_bit_changed_is_refused(position: int, bit: int) -> None:
    with pytest.raises(UnusableKeyFile):
        keyfiles.open_(_flip(FILE, position, bit), PASSPHRASE)


@settings(deadline=None)
@given(st.text(min_size=8, max_size=40))
def test_no_other_passphrase_opens_a_key_file(passphrase: str) -> None:
    assume(passphrase != PASSPHRASE)
    with pytest.raises(UnusableKeyFile):
        keyfiles.open_(FILE, passphrase)


NOW = 1_795_526_649
TRUSTED = jwks.write_jwks({"local": PAIR.public, "services/approval": OTHER.public})
PUBLIC = tokens.Verifier(TRUSTED, "assay")
USER_TOKEN = tokens.mint_user(keys.to_pem(PAIR.private), "local", BEN, NOW)


@given(positions, st.characters(codec="utf-8"))
def test_a_token_with_any_character_changed_is_refused(position: int, other: str) -> None:
    at = position % len(USER_TOKEN)
    assume(USER_TOKEN[at] != other)
    with pytest.raises(InvalidToken):
        PUBLIC.verify(USER_TOKEN[:at] + other + USER_TOKEN[at + 1 :], NOW)


@given(st.integers(min_value=0, max_value=len(USER_TOKEN) - 1))
def test_a_token_cut_short_is_refused(length: int) -> None:
    with pytest.raises(InvalidToken):
        PUBLIC.verify(USER_TOKEN[:length], NOW)


@given(st.text())
def test_any_text_is_refused_as_a_token_in_words(token: str) -> None:
    with pytest.raises(InvalidToken):
        PUBLIC.verify(token, NOW)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_of_any_year_are_read_back(time: datetime) -> None:
    record = replace(RECORD, time=time.replace(microsecond=0))
    assert SigningRecord.from_bytes(record.to_bytes()).time == record.time


@given(st.text(), st.text(), st.binary(min_size=32, max_size=32))
def test_a_commitment_binds_one_text(one: str, other: str, salt: bytes) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert personal.matches(other, salt, personal.commit(one, salt)) == same
