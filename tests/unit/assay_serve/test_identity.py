"""Verified tokens are remembered, but not for ever, and not without end."""

import time
from pathlib import Path

import pytest

from assay_serve import identity
from assay_serve.identity import Identities, Unauthenticated
from assay_trust import jwks, keys, tokens

ISSUER = keys.generate()
PRINCIPAL = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks.write_jwks({"assay-local": ISSUER.public}))
    return Identities(path, "metadata")


def bearer(client: str = "", lifetime_seconds: int = 3600) -> str:
    token = tokens.mint_user(
        keys.to_pem(ISSUER.private),
        "assay-local",
        PRINCIPAL,
        int(time.time()),
        lifetime_seconds=lifetime_seconds,
        client=client,
    )
    return f"Bearer {token}"


async def test_a_token_is_verified_once(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = bearer()
    first = await identities.actor(token)
    monkeypatch.setattr(tokens.Verifier, "verify", None)
    assert await identities.actor(token) is first


async def test_a_remembered_token_expires(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = bearer(lifetime_seconds=60)
    await identities.actor(token)
    later = time.time() + 120
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Unauthenticated, match="expired"):
        await identities.actor(token)


async def test_only_so_many_tokens_are_remembered(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_CACHED_TOKENS", 2)
    first, second, third = (bearer(client) for client in ("a", "b", "c"))
    for token in (first, second, first, third):
        await identities.actor(token)
    monkeypatch.setattr(tokens.Verifier, "verify", _refuse)
    await identities.actor(first)
    await identities.actor(third)
    with pytest.raises(AssertionError):
        await identities.actor(second)


def _refuse(*_: object) -> None:
    raise AssertionError


async def test_a_refused_token_is_not_remembered(identities: Identities) -> None:
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await identities.actor(f"{bearer()}x")


async def test_a_token_of_unreasonable_length_is_not_even_read(identities: Identities) -> None:
    with pytest.raises(Unauthenticated, match="Bearer TOKEN"):
        await identities.actor(f"Bearer {'a' * 10_000}")
