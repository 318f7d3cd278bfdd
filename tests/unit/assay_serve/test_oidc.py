"""When the keys of an OIDC provider are fetched, how long they count, and who waits for them."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from assay_events.errors import Unavailable
from assay_serve import oidc
from assay_serve.oidc import Provider
from assay_serve.oidc_fetch import Unreachable
from assay_serve.oidc_settings import OidcIssuer
from assay_trust.errors import InvalidToken
from assay_trust.oidc import Expected
from tests.support.oidc_provider import AUDIENCE, OidcProvider, SigningKey

ISSUER = OidcIssuer(Expected("https://login.example", AUDIENCE))


@dataclass
class Far:
    """What fetches from a provider that is down, hangs or answers, as a test says."""

    tokens: OidcProvider = field(
        default_factory=lambda: OidcProvider(ISSUER.url, SigningKey.make("ES256"))
    )
    is_down: bool = False
    fetches: int = 0
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.tokens.published = [self.tokens.key.public]
        self.goes_on.set()

    def fetch(self, _: OidcIssuer) -> bytes:
        self.fetches += 1
        self.goes_on.wait(60)
        if self.is_down:
            raise Unreachable("It is down.")
        return json.dumps({"keys": self.tokens.published}).encode()


@dataclass
class Clock:
    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.goes_on.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(oidc, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def provider(far: Far, clock: Clock) -> Provider:
    return Provider(ISSUER, far.fetch)


def now() -> int:
    return int(time.time())


async def fetched(far: Far, times: int) -> None:
    """Wait until so many fetches have been begun, and what they found is in force."""
    async with asyncio.timeout(30):
        while far.fetches < times:  # noqa: ASYNC110 - a thread counts them
            await asyncio.sleep(0.01)
        while any(task.get_name() == oidc.TASK for task in asyncio.all_tasks()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_keys_are_fetched_once_for_many_tokens(provider: Provider, far: Far) -> None:
    tokens = [far.tokens.token(f"p{number}") for number in range(20)]
    found = await asyncio.gather(*(provider.verify(token, now()) for token in tokens))
    assert len({claims.principal for claims in found}) == 20
    assert far.fetches == 1


async def test_unknown_key_ids_are_asked_for_once_in_a_while(
    provider: Provider, far: Far, clock: Clock
) -> None:
    await provider.verify(far.tokens.token(), now())
    forged = far.tokens.token(key=SigningKey.make("ES256"))
    for _ in range(5):
        with pytest.raises(InvalidToken, match="publishes"):
            await provider.verify(forged, now())
    assert far.fetches == 1
    clock.now += oidc.COOLDOWN_SECONDS
    for _ in range(5):
        with pytest.raises(InvalidToken, match="publishes"):
            await provider.verify(forged, now())
    assert far.fetches == 2


async def test_nobody_whose_key_is_known_waits_for_a_provider_that_hangs(
    provider: Provider, far: Far, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "FETCH_SECONDS", 60.0)
    await provider.verify(far.tokens.token(), now())
    clock.now += oidc.COOLDOWN_SECONDS
    far.goes_on.clear()
    forged = far.tokens.token(key=SigningKey.make("ES256"))
    waiting = [asyncio.create_task(provider.verify(forged, now())) for _ in range(5)]
    for number in range(5):
        await provider.verify(far.tokens.token(f"p{number}"), now())
    assert not any(task.done() for task in waiting)
    far.goes_on.set()
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(each) for each in refused} == {InvalidToken}
    assert far.fetches == 2


async def test_a_fetch_that_hangs_is_given_up_and_not_doubled(
    provider: Provider, far: Far, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "FETCH_SECONDS", 0.01)
    far.goes_on.clear()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await provider.verify(far.tokens.token(), now())
        clock.now += oidc.COOLDOWN_SECONDS
    assert far.fetches == 1


async def test_without_keys_a_token_is_to_be_tried_again(
    provider: Provider, far: Far, clock: Clock
) -> None:
    far.is_down = True
    with pytest.raises(Unavailable, match="Try again") as caught:
        await provider.verify(far.tokens.token(), now())
    assert caught.value.retry_seconds == oidc.COOLDOWN_SECONDS
    far.is_down = False
    clock.now += oidc.COOLDOWN_SECONDS
    await provider.verify(far.tokens.token(), now())


async def test_keys_outlive_a_provider_that_is_down_but_not_for_ever(
    provider: Provider, far: Far, clock: Clock
) -> None:
    await provider.verify(far.tokens.token(), now())
    provider.look_again()
    far.is_down = True
    clock.now += ISSUER.max_age_seconds
    assert not provider.look_again()
    await fetched(far, 2)
    await provider.verify(far.tokens.token(), now())
    clock.now += 1
    assert provider.look_again()  # so that remembered tokens are forgotten
    with pytest.raises(Unavailable):
        await provider.verify(far.tokens.token(), now())


async def test_a_rotation_is_seen_without_a_token_of_the_new_key(
    provider: Provider, far: Far, clock: Clock
) -> None:
    old = far.tokens.token()
    await provider.verify(old, now())
    assert provider.look_again()
    assert not provider.look_again()
    far.tokens.rotate("ES256")
    clock.now += ISSUER.refresh_seconds
    assert not provider.look_again()
    await fetched(far, 2)
    assert provider.look_again()
    with pytest.raises(InvalidToken, match="publishes"):
        await provider.verify(old, now())


async def test_keys_that_cannot_be_read_leave_the_old_ones_in_force(
    provider: Provider, far: Far, clock: Clock
) -> None:
    await provider.verify(far.tokens.token(), now())
    far.tokens.published = [{}] * 101
    clock.now += ISSUER.refresh_seconds
    provider.look_again()
    await fetched(far, 2)
    await provider.verify(far.tokens.token(), now())
