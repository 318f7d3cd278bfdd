"""An OIDC provider as a service sees it: its keys, kept fresh, and the tokens that they verify.

Keys are fetched by one thread at a time, at most every few seconds whatever tokens claim, and no
call waits for them whose key is known.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import structlog

from assay_events.errors import Unavailable
from assay_serve.oidc_fetch import FETCH_SECONDS, Unreachable, fetch_keys
from assay_serve.oidc_settings import OidcIssuer
from assay_trust import oidc
from assay_trust.errors import TrustError
from assay_trust.provider_keys import ProviderKeys, parse_provider_keys
from assay_trust.tokens import Claims

COOLDOWN_SECONDS = 5.0
TASK = "oidc keys"

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Provider:
    """Verifies the tokens of one provider."""

    def __init__(
        self, issuer: OidcIssuer, fetch: Callable[[OidcIssuer], bytes] = fetch_keys
    ) -> None:
        """Fetch nothing yet: the first token does."""
        self._issuer = issuer
        self._fetch = fetch
        self._keys: ProviderKeys | None = None
        self._fetched_at = self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._is_away = False
        self._has_changed = False

    async def verify(self, token: str, now: int) -> Claims:
        """Return what `token` proves; raise InvalidToken, or Unavailable where no key is known."""
        header = oidc.read_header(token)
        keys = await self._keys_for(header.kid)
        return oidc.verify(token, keys, self._issuer.expected, now)

    def look_again(self) -> bool:
        """Have keys fetched that are due; return whether what the old ones proved is to go."""
        self._drop_old()
        if self._keys is not None and self._age() >= self._issuer.refresh_seconds:
            self._ask()
        has_changed, self._has_changed = self._has_changed, False
        return has_changed

    async def _keys_for(self, kid: str) -> ProviderKeys:
        self._drop_old()
        if self._keys is None or not self._keys.knows(kid):
            asking = self._ask()
            if asking is not None:
                await asyncio.shield(asking)
        if self._keys is None:
            raise Unavailable(
                f"Try again: the keys of {self._issuer.url} cannot be fetched just now.",
                COOLDOWN_SECONDS,
            )
        return self._keys

    def _ask(self) -> "asyncio.Task[None] | None":
        """Return the one fetch that runs, a new one if need be; None soon after the last."""
        if self._asking is not None and not self._asking.done():
            return self._asking
        if self._answer is not None and not self._answer.done():
            return None  # its thread still hangs
        if monotonic() - self._asked_at < COOLDOWN_SECONDS:
            return None
        self._asked_at = monotonic()
        self._asking = asyncio.create_task(self._renew(), name=TASK)
        return self._asking

    async def _renew(self) -> None:
        """Put the keys in force that the provider publishes now; keep the old ones if it fails."""
        asked_at = monotonic()
        self._answer = _in_thread(lambda: self._fetch(self._issuer))
        try:
            await asyncio.wait({self._answer}, timeout=FETCH_SECONDS)
            if not self._answer.done():
                raise Unreachable("It does not answer in time.")  # noqa: TRY301 - as the others
            found = parse_provider_keys(self._answer.result())
        except (Unreachable, TrustError) as error:
            self._tell(str(error))
            return
        self._tell("")
        self._fetched_at = asked_at
        if found != self._keys:
            log.info("oidc.keys", issuer=self._issuer.url, kids=sorted({k for k, _ in found.by_id}))
            self._keys, self._has_changed = found, True

    def _drop_old(self) -> None:
        if self._keys is not None and self._age() > self._issuer.max_age_seconds:
            self._keys, self._has_changed = None, True
            log.warning("oidc.keys_too_old", issuer=self._issuer.url)

    def _age(self) -> float:
        return monotonic() - self._fetched_at

    def _tell(self, cause: str) -> None:
        if bool(cause) is not self._is_away:
            self._is_away = bool(cause)
            if cause:
                log.warning("oidc.away", issuer=self._issuer.url, cause=cause)


def _in_thread(work: Callable[[], bytes]) -> "asyncio.Future[bytes]":
    """Return what `work` will return: in a thread of its own, for which nothing ever waits."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    def set_answer(found: bytes | Exception) -> None:
        if isinstance(found, bytes):
            answer.set_result(found)
        else:
            answer.set_exception(found)
            answer.exception()  # a late one is nobody's

    def run() -> None:
        found: bytes | Exception
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - it belongs to who waits
            found = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(set_answer, found)

    threading.Thread(target=run, name="oidc", daemon=True).start()
    return answer
