"""Keys: made, named, written, and refused when anyone could sign under them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from assay_trust import dsse, keys
from assay_trust.errors import InvalidKey
from tests.unit.assay_trust.examples import PAIR

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1)


def _add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """Return the sum of two points of edwards25519."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def _x(y: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square:
        root = root * pow(2, (P - 1) // 4, P) % P
    assert root * root % P == square, "not on the curve"
    return root


def test_new_keys_differ() -> None:
    assert keys.generate().private != keys.generate().private


def test_a_private_key_is_not_printed() -> None:
    assert PAIR.private.hex() not in repr(PAIR)
    assert repr(PAIR.private) not in repr(PAIR)


def test_a_key_id_is_the_start_of_the_digest() -> None:
    assert keys.key_id(b"") == "e3b0c44298fc1c14"


def test_pem_is_read_back() -> None:
    assert keys.from_pem(keys.to_pem(PAIR.private)) == PAIR


def test_other_pem_is_refused() -> None:
    other = generate_private_key(SECP256R1())
    plain = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own = load_pem_private_key(keys.to_pem(PAIR.private), None)
    sealed = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    for pem in (plain, sealed, b"", b"x", keys.to_pem(PAIR.private)[:60]):
        with pytest.raises(InvalidKey):
            keys.from_pem(pem)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(InvalidKey):
        keys.from_private(bytes(size))
    with pytest.raises(InvalidKey):
        keys.check_public(bytes(size))


def test_exactly_the_points_of_small_order_are_refused() -> None:
    points = {(x, y) for y in keys._SMALL_ORDER_Y for x in (_x(y), P - _x(y) if _x(y) else 0)}
    assert len(points) == 8
    for point in points:
        total = point
        for _ in range(3):
            total = _add(total, total)
        assert total == IDENTITY
        encoded = (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")
        with pytest.raises(InvalidKey):
            keys.check_public(encoded)


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_a_second_spelling_of_a_point_is_refused(y: int) -> None:
    with pytest.raises(InvalidKey):
        keys.check_public(y.to_bytes(32, "little"))


def test_the_identity_key_would_let_anyone_sign_anything() -> None:
    weak = bytes([1]) + bytes(31)
    forged = weak + bytes(32)
    Ed25519PublicKey.from_public_bytes(weak).verify(forged, b"whatever")
    with pytest.raises(InvalidKey):
        dsse.verify(weak, "type", b"whatever", forged)
