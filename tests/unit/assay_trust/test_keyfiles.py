"""Key files open with their passphrase, whole and unchanged, or not at all."""

import json

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assay_trust import canonical, keyfiles
from assay_trust.errors import UnusableKeyFile, WeakPassphrase
from assay_trust.keyfiles import Cost
from tests.unit.assay_trust.examples import OTHER, PAIR

CHEAP = Cost(memory_kib=8, passes=1, lanes=1)
PASSPHRASE = "correct horse"
FILE = keyfiles.seal(PAIR.private, PASSPHRASE, CHEAP)


def _changed(data: bytes, **changes: str | bool) -> bytes:
    return canonical.encode({**json.loads(data), **changes})


def test_a_key_file_of_the_usual_cost_opens() -> None:
    data = keyfiles.seal(PAIR.private, PASSPHRASE)
    assert json.loads(data)["memory_kib"] == "65536"
    assert keyfiles.open_(data, PASSPHRASE) == PAIR


def test_two_key_files_of_one_key_share_no_secret() -> None:
    first, second = (json.loads(keyfiles.seal(PAIR.private, PASSPHRASE, CHEAP)) for _ in "12")
    assert all(first[name] != second[name] for name in ("salt", "nonce", "ciphertext"))


def test_a_key_file_shows_its_public_key_and_nothing_private() -> None:
    assert keyfiles.public_of(FILE) == PAIR.public
    assert PAIR.private.hex().encode() not in FILE


@pytest.mark.requirement("S3", "S4")
@pytest.mark.parametrize("passphrase", ["", "short", "wrong horse", PASSPHRASE + " ", "x" * 2000])
def test_a_wrong_passphrase_opens_nothing(passphrase: str) -> None:
    with pytest.raises(UnusableKeyFile, match="Check the passphrase"):
        keyfiles.open_(FILE, passphrase)


def test_two_spellings_of_one_passphrase_are_one() -> None:
    data = keyfiles.seal(PAIR.private, "Andr\u00e9 Andr\u00e9", CHEAP)
    assert keyfiles.open_(data, "Andre\u0301 Andre\u0301") == PAIR


@pytest.mark.parametrize("passphrase", ["", "1234567", "x" * 1025, "\ud800" * 8])
def test_a_weak_passphrase_seals_nothing(passphrase: str) -> None:
    with pytest.raises(WeakPassphrase):
        keyfiles.seal(PAIR.private, passphrase, CHEAP)


@pytest.mark.parametrize("length", range(0, len(FILE), 40))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(UnusableKeyFile):
        keyfiles.open_(FILE[:length], PASSPHRASE)


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_kib": "99999999"},
        {"memory_kib": "262145"},
        {"memory_kib": "7"},
        {"memory_kib": "-1"},
        {"memory_kib": "1e3"},
        {"passes": "0"},
        {"passes": "999999999"},
        {"lanes": "0"},
        {"lanes": "9"},
        {"kdf": "argon2i"},
        {"cipher": "none"},
        {"v": "assay/key/v2"},
        {"extra": ""},
        {"extra": True},
        {"salt": True},
        {"salt": ""},
        {"nonce": "00"},
        {"ciphertext": ""},
        {"ciphertext": "00" * 1000},
        {"key_id": "0" * 16},
        {"public_key": OTHER.public.hex()},
    ],
)
def test_a_hostile_file_is_refused(changes: dict[str, str | bool]) -> None:
    with pytest.raises(UnusableKeyFile):
        keyfiles.open_(_changed(FILE, **changes), PASSPHRASE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'"x"', b"\xff", b"{" * 70_000])
def test_what_is_no_key_file_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableKeyFile):
        keyfiles.open_(data, PASSPHRASE)
    with pytest.raises(UnusableKeyFile):
        keyfiles.public_of(data)


def test_a_file_sealed_around_another_key_is_refused() -> None:
    value = json.loads(FILE)
    del value["ciphertext"]
    key = _other_argon2id(value)
    aad = canonical.encode(value)
    ciphertext = AESGCM(key).encrypt(bytes.fromhex(value["nonce"]), OTHER.private, aad)
    with pytest.raises(UnusableKeyFile):
        keyfiles.open_(_changed(FILE, ciphertext=ciphertext.hex()), PASSPHRASE)


def test_another_implementation_of_argon2id_opens_the_file() -> None:
    value = json.loads(FILE)
    ciphertext = bytes.fromhex(value.pop("ciphertext"))
    cipher = AESGCM(_other_argon2id(value))
    nonce = bytes.fromhex(value["nonce"])
    assert cipher.decrypt(nonce, ciphertext, canonical.encode(value)) == PAIR.private


def _other_argon2id(value: dict[str, str]) -> bytes:
    return hash_secret_raw(
        PASSPHRASE.encode(),
        bytes.fromhex(value["salt"]),
        time_cost=int(value["passes"]),
        memory_cost=int(value["memory_kib"]),
        parallelism=int(value["lanes"]),
        hash_len=32,
        type=Type.ID,
    )
