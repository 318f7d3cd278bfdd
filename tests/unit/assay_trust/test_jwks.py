"""The trusted keys file holds public Ed25519 keys and nothing else."""

import json

import pytest

from assay_trust import jwks, keys
from assay_trust.errors import InvalidKey
from tests.unit.assay_trust.examples import OTHER, PAIR

TRUSTED = {"local": PAIR.public, "services/approval": OTHER.public}
X = jwks.b64url(PAIR.public)
GOOD = {"kty": "OKP", "crv": "Ed25519", "kid": "local", "x": X}


def test_the_keys_are_read_back() -> None:
    assert jwks.parse_jwks(jwks.write_jwks(TRUSTED)) == TRUSTED


def test_a_private_key_is_refused_and_not_repeated() -> None:
    secret = jwks.b64url(PAIR.private)
    with pytest.raises(InvalidKey, match="Remove the private key") as caught:
        jwks.parse_jwks(json.dumps({"keys": [{**GOOD, "d": secret}]}).encode())
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "entries",
    [
        [GOOD, GOOD],
        [{**GOOD, "kty": "oct", "k": X}],
        [{**GOOD, "crv": "X25519"}],
        [{**GOOD, "x": X + "="}],
        [{**GOOD, "x": X[:-1] + "9"}],
        [{**GOOD, "x": jwks.b64url(bytes(31))}],
        [{**GOOD, "x": jwks.b64url(bytes([1]) + bytes(31))}],
        [{**GOOD, "kid": 1}],
        [{"kty": "OKP", "crv": "Ed25519", "x": X}],
        ["x"],
        "x",
        None,
    ],
)
def test_other_entries_are_refused(entries: object) -> None:
    with pytest.raises(InvalidKey):
        jwks.parse_jwks(json.dumps({"keys": entries}).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}", b"[" * 100_000, b" " * 2_000_000])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidKey):
        jwks.parse_jwks(data)


def test_a_weak_key_is_not_written() -> None:
    with pytest.raises(InvalidKey):
        jwks.write_jwks({"local": bytes(keys.KEY_BYTES)})
