"""Who calls: a bearer token becomes an actor, verified once and remembered until it expires."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import structlog

from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_serve.oidc import Provider
from assay_serve.oidc_settings import OidcIssuer
from assay_trust.errors import TrustError
from assay_trust.oidc import unverified_issuer
from assay_trust.tokens import SERVICE_ISSUER, USER_AUDIENCE, USER_ISSUER, Claims, Verifier

_CACHED_TOKENS = 10_000
_LOOK_SECONDS = 1.0
_MAX_TOKEN_CHARACTERS = 8192
_LOCAL = frozenset({USER_ISSUER, SERVICE_ISSUER})
_KINDS = {
    "human": ActorKind.ACTOR_KIND_HUMAN,
    "workload": ActorKind.ACTOR_KIND_WORKLOAD,
    "service": ActorKind.ACTOR_KIND_SERVICE,
}

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Unauthenticated(Exception):
    """The call does not prove who makes it; the text says what is wrong with its token."""


class Identities:
    """Turns bearer tokens into actors: users of the deployment, and services that call this one.

    Users have tokens of the local issuer or of an OIDC provider that the deployment trusts.
    """

    def __init__(self, jwks: Path, service: str, issuers: Sequence[OidcIssuer] = ()) -> None:
        self._jwks = jwks
        self._service = service
        self._providers = {issuer.url: Provider(issuer) for issuer in issuers}
        self._stamp: tuple[int, int, int] = (0, 0, 0)
        self._look_at = 0.0
        self._verifiers: tuple[Verifier, Verifier] = self._load()
        self._known: OrderedDict[bytes, tuple[Actor, int]] = OrderedDict()

    def recall(self, authorization: str) -> Actor | None:
        """Return who is behind the metadata `authorization`, None where it was not verified yet."""
        now = time.time()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self.look_again()
        digest = sha256(authorization.encode()).digest()
        known = self._known.get(digest)
        if known is None or now >= known[1]:
            return None
        self._known.move_to_end(digest)
        return known[0]

    async def actor(self, authorization: str) -> Actor:
        """Return who is behind the metadata `authorization`; raise Unauthenticated otherwise."""
        known = self.recall(authorization)
        if known is not None:
            return known
        claims = await self._verify(_bearer(authorization), int(time.time()))
        found = to_actor(claims)
        self._remember(sha256(authorization.encode()).digest(), found, claims.expires_at)
        return found

    async def _verify(self, token: str, now: int) -> Claims:
        if not self._providers:
            return self._verify_local(token, now)
        try:
            issuer = unverified_issuer(token)
            provider = self._providers.get(issuer)
            if provider is not None:
                return await provider.verify(token, now)
        except TrustError as error:
            raise Unauthenticated(str(error)) from error
        if issuer in _LOCAL:
            return self._verify_local(token, now)
        raise Unauthenticated(
            f"Use a token of {' or '.join(sorted((USER_ISSUER, *self._providers)))}."
        )

    def _verify_local(self, token: str, now: int) -> Claims:
        users, services = self._verifiers
        try:
            return users.verify(token, now)
        except TrustError as refused_as_user:
            try:
                return services.verify(token, now)
            except TrustError:
                raise Unauthenticated(str(refused_as_user)) from refused_as_user

    def _remember(self, digest: bytes, found: Actor, expires_at: int) -> None:
        self._known[digest] = (found, expires_at)
        if len(self._known) > _CACHED_TOKENS:
            self._known.popitem(last=False)

    def look_again(self) -> None:
        """Read the trusted keys again where they changed; forget what the old ones proved.

        Keys that cannot be read leave the old ones in force, and are tried again.
        """
        changes = [provider.look_again() for provider in self._providers.values()]  # of them all
        if any(changes):
            self._known.clear()
        try:
            if _stamp(self._jwks) == self._stamp:
                return
            self._verifiers = self._load()
        except (OSError, TrustError) as error:
            log.warning("identity.keys_unreadable", path=str(self._jwks), cause=str(error))
            return
        self._known.clear()

    def _load(self) -> tuple[Verifier, Verifier]:
        stamp, keys = _stamp(self._jwks), self._jwks.read_bytes()
        verifiers = Verifier(keys, USER_AUDIENCE), Verifier(keys, self._service)
        self._stamp = stamp
        return verifiers


def to_actor(claims: Claims) -> Actor:
    """Return the actor that verified claims describe."""
    return Actor(
        principal=claims.principal,
        kind=_KINDS[claims.kind],
        issuer=claims.issuer,
        acr=claims.acr,
        amr=claims.amr,
        client=claims.client,
        on_behalf_of=claims.on_behalf_of,
    )


def _bearer(authorization: str) -> str:
    if not authorization:
        raise Unauthenticated("Send a bearer token in the metadata `authorization`.")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > _MAX_TOKEN_CHARACTERS:
        raise Unauthenticated("Send the metadata `authorization` as `Bearer TOKEN`.")
    return token


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
