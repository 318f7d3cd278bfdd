"""Commitments bind personal text and tell nothing of it."""

import pytest

from assay_trust import personal
from assay_trust.errors import TrustError

SALT = bytes(32)


def test_a_commitment_binds_text_and_salt() -> None:
    commitment = personal.commit("Ann Example", SALT)
    assert personal.matches("Ann Example", SALT, commitment)
    assert not personal.matches("Ann Exampl", SALT, commitment)
    assert not personal.matches("Ann Example", b"\1" * 32, commitment)
    assert not personal.matches("Ann Example", SALT, commitment[:-1])
    assert not personal.matches("Ann Example", SALT, b"")


def test_two_spellings_of_one_text_are_one_text() -> None:
    assert personal.commit("Andre\u0301", SALT) == personal.commit("Andr\u00e9", SALT)


def test_salts_are_fresh() -> None:
    assert personal.new_salt() != personal.new_salt()
    assert len(personal.new_salt()) == personal.SALT_BYTES


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(TrustError):
        personal.commit("Ann", salt)


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(TrustError):
        personal.commit("\ud800", SALT)
