"""Laws of passkeys: garbage is refused by our own errors, and any changed bit is refused."""

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from assay_trust import cbor, cose
from assay_trust.errors import InvalidKey, InvalidSignature, TrustError
from assay_trust.record import SIGNATURE_TYPE
from assay_trust.webauthn import challenge, verify_assertion, verify_registration
from tests.support.authenticator import ORIGIN, RP_ID, Authenticator
from tests.unit.assay_trust.examples import RECORD

DATA = RECORD.to_bytes()
ASKED = challenge(SIGNATURE_TYPE, DATA)
AUTHENTICATORS = [
    Authenticator(ec.derive_private_key(7, ec.SECP256R1())),
    Authenticator(Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
]
authenticators = st.sampled_from(AUTHENTICATORS)
# Signed and made once: ECDSA signs differently each time, and examples must be repeatable.
SIGNED = [each.sign(DATA, SIGNATURE_TYPE) for each in AUTHENTICATORS]
MADE = [each.register(ASKED) for each in AUTHENTICATORS]
places = st.sampled_from([0, 1])
items: st.SearchStrategy[object] = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary() | st.text() | st.booleans() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
tagged = st.builds(cbor2.CBORTag, st.integers(0, 2**32), items).map(cbor2.dumps)
garbage = st.binary(max_size=300) | items.map(cbor2.dumps) | tagged | st.binary(min_size=9000)


def _flip(data: bytes, position: int, bit: int) -> bytes:
    """Return `data` with one bit changed."""
    changed = bytearray(data)
    changed[position % len(data)] ^= 1 << bit
    return bytes(changed)


def _verify(public_key: bytes, data: bytes, client_data: bytes, signature: bytes) -> None:
    verify_assertion(
        public_key,
        DATA,
        SIGNATURE_TYPE,
        authenticator_data=data,
        client_data_json=client_data,
        signature=signature,
        rp_id=RP_ID,
        origin=ORIGIN,
    )


def _register(attestation: bytes, client_data: bytes) -> None:
    verify_registration(
        ASKED,
        attestation_object=attestation,
        client_data_json=client_data,
        rp_id=RP_ID,
        origin=ORIGIN,
    )


@given(places, st.integers(0, 3), garbage)
def test_garbage_in_an_assertion_is_refused(place: int, part: int, found: bytes) -> None:
    parts = [AUTHENTICATORS[place].public_key, *SIGNED[place]]
    _verify(*parts)
    parts[part] = found
    with pytest.raises((InvalidSignature, InvalidKey)):
        _verify(*parts)


@given(places, st.integers(0, 3), st.integers(min_value=0), st.integers(0, 7))
def test_any_changed_bit_in_an_assertion_is_refused(
    place: int, part: int, position: int, bit: int
) -> None:
    parts = [AUTHENTICATORS[place].public_key, *SIGNED[place]]
    parts[part] = _flip(parts[part], position, bit)
    with pytest.raises((InvalidSignature, InvalidKey)):
        _verify(*parts)


@given(authenticators, garbage)
def test_extensions_never_raise_another_error(authenticator: Authenticator, found: bytes) -> None:
    extended = Authenticator(authenticator.key, extensions=found)
    try:
        _verify(extended.public_key, *extended.sign(DATA, SIGNATURE_TYPE))
    except InvalidSignature:
        return
    assert not found or cbor.end_of_item(found) == len(found)


@given(places, garbage)
def test_garbage_in_a_registration_is_refused(place: int, found: bytes) -> None:
    attestation, client_data = MADE[place]
    for parts in ((found, client_data), (attestation, found)):
        with pytest.raises(InvalidSignature):
            _register(*parts)


@given(places, garbage, st.sampled_from(["fmt", "attStmt", "authData"]))
def test_garbage_within_a_registration_is_refused(place: int, found: bytes, name: str) -> None:
    attestation, client_data = MADE[place]
    value = {**cbor2.loads(attestation), name: found}
    with pytest.raises(TrustError):
        _register(cbor2.dumps(value), client_data)


@given(places, st.integers(min_value=0), st.integers(0, 7))
def test_a_changed_bit_in_a_registration_raises_no_other_error(
    place: int, position: int, bit: int
) -> None:
    attestation, client_data = MADE[place]
    try:  # nobody signs a registration: a bit of the credential id or of the counter may change
        _register(_flip(attestation, position, bit), client_data)
    except TrustError:
        return


@given(items)
def test_what_ends_where_it_ends_parses_to_the_same_end(value: object) -> None:
    data = cbor2.dumps(value)
    try:
        end = cbor.end_of_item(data)
    except InvalidSignature:  # a number beyond 64 bits is a tag, and deep nesting is refused
        return
    assert end == len(data)


@given(st.binary(max_size=80) | st.binary(min_size=42, max_size=42))
def test_no_bytes_make_a_key_by_chance(found: bytes) -> None:
    with pytest.raises(InvalidKey):
        cose.check_public(found)
