"""A small OIDC provider on loopback: discovery, keys that rotate, tokens of any claims."""

import json
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from assay_serve.oidc_fetch import DISCOVERY
from assay_trust.provider_keys import ALGORITHMS
from tests.support.http_between import Ask, Reply, answering

AUDIENCE = "assay-test"
KEYS = "/keys"


@dataclass(frozen=True)
class SigningKey:
    """A private key of a provider, for one algorithm."""

    algorithm: str
    private: RSAKey | ECKey | OKPKey
    kid: str = field(default_factory=lambda: str(uuid4()))

    @classmethod
    def make(cls, algorithm: str = "RS256") -> "SigningKey":
        """Return a fresh key."""
        if algorithm == "ES256":
            return cls(algorithm, ECKey.import_key(ec.generate_private_key(ec.SECP256R1())))
        if algorithm == "EdDSA":
            return cls(algorithm, OKPKey.import_key(ed25519.Ed25519PrivateKey.generate()))
        return cls(algorithm, RSAKey.import_key(rsa.generate_private_key(65537, 2048)))

    @property
    def public(self) -> dict[str, object]:
        """The entry of the key set."""
        public = {k: v for k, v in self.private.as_dict(private=False).items() if k != "kid"}
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}


@dataclass
class OidcProvider:
    """A running provider; a test changes what it does."""

    url: str = ""
    key: SigningKey = field(default_factory=SigningKey.make)
    published: list[dict[str, object]] = field(default_factory=list)
    discovery: dict[str, object] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)

    def rotate(self, algorithm: str = "RS256") -> None:
        """Sign with a new key from now on, and publish it alone."""
        self.key = SigningKey.make(algorithm)
        self.published = [self.key.public]

    def settings(self, **more: object) -> dict[str, object]:
        """Return what a service is told of it."""
        return {"issuer": self.url, "audience": AUDIENCE, **more}

    def claims(self, subject: str, **changes: object) -> dict[str, object]:
        """Return right claims, but for `changes`; None leaves a claim out."""
        now = int(time.time())
        times = {"iat": now, "exp": now + 600}
        claims = {"iss": self.url, "sub": subject, "aud": AUDIENCE, **times, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self, subject: str = "erin", *, key: SigningKey | None = None, **changes: object
    ) -> str:
        """Return a token, signed with the key in force unless told otherwise."""
        used = key or self.key
        header = {"alg": used.algorithm, "kid": used.kid, "typ": "at+jwt"}
        return sign(header, self.claims(subject, **changes), used)

    def answer(self, ask: Ask) -> Reply:
        """Answer as a provider does."""
        self.asked.append(ask.path)
        if self.hanging.is_set():
            _until(lambda: not self.hanging.is_set())
        if ask.path in self.replies:
            return self.replies[ask.path]
        known: Mapping[str, Mapping[str, object]] = {
            DISCOVERY: self.discovery or {"issuer": self.url, "jwks_uri": f"{self.url}{KEYS}"},
            KEYS: {"keys": self.published},
        }
        return Reply(body=json.dumps(known.get(ask.path, {})).encode())


def sign(header: Mapping[str, object], claims: object, key: SigningKey) -> str:
    """Return a token of exactly this header and these claims."""
    registry = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
    with warnings.catch_warnings(action="ignore", category=SecurityWarning):
        return jws.serialize_compact(
            dict(header), json.dumps(claims), key.private, registry=registry
        )


@contextmanager
def providing(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[OidcProvider]:
    """Run a provider, on a port of its own unless told which."""
    provider = OidcProvider()
    provider.published = [provider.key.public]
    with answering(provider.answer, tls, port) as url:
        provider.url = url
        try:
            yield provider
        finally:
            provider.hanging.clear()


def _until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 60
    while not is_so() and time.monotonic() < ends_at:
        time.sleep(0.02)
