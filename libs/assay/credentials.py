"""Who calls: a bearer token that is given, stored by a login, or minted for the local owner."""

import base64
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from assay.errors import FailedPrecondition, Unauthenticated
from assay.folder import OWNER, DataFolder, write_private
from assay_trust import keys, oidc, tokens
from assay_trust.jwks import b64url

Credentials: TypeAlias = Callable[[], str]

CLIENT = "assay-python/0.1.0"
_LIFETIME_SECONDS = 3600
_SESSION_SECONDS = 12 * 3600
_RENEW_SECONDS = 300


def find(folder: DataFolder, *, token: str = "", as_user: str = "") -> Credentials:
    """Return who calls: `as_user`, else `token`, else ASSAY_TOKEN, a login, the local owner."""
    if as_user:
        return LocalIssuer(folder, folder.principal_id(as_user))
    given = token or os.environ.get("ASSAY_TOKEN", "")
    if given:
        return lambda: given
    if folder.session.exists():
        return StoredLogin(folder)
    if folder.is_owned():
        return LocalIssuer(folder, folder.principal_id(OWNER))
    raise Unauthenticated(
        f"Set ASSAY_TOKEN, or log in: the secrets in {folder.path} cannot be read.",
        reason="UNAUTHENTICATED",
    )


def principal(token: str) -> str:
    """Return the principal that `token` says it speaks for; the server alone verifies it."""
    try:
        claims = token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        subject, issuer = str(said["sub"]), str(said.get("iss", tokens.USER_ISSUER))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unauthenticated("The token is not a JWT with a subject.") from error
    is_local = issuer == tokens.USER_ISSUER
    return f"principals/{subject if is_local else oidc.principal_id(issuer, subject)}"


@dataclass(slots=True)
class LocalIssuer:
    """Mints user tokens with the issuer's key of a data folder, and renews them in time."""

    folder: DataFolder
    principal_id: str
    lifetime_seconds: int = _LIFETIME_SECONDS
    _token: str = field(default="", repr=False)
    _expires_at: float = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self) -> str:
        """Return a token that is valid for some minutes at least."""
        with self._lock:
            now = int(time.time())
            if now + _RENEW_SECONDS >= self._expires_at:
                self._token = self._mint(now)
                self._expires_at = now + self.lifetime_seconds
            return self._token

    def _mint(self, now: int) -> str:
        try:
            pem = self.folder.issuer.read_bytes()
            trusted = json.loads(self.folder.trusted_keys.read_bytes())
        except OSError as error:
            raise Unauthenticated(
                f"Only who may read {self.folder.issuer} can act for others: {error.strerror}."
            ) from error
        return tokens.mint_user(
            pem,
            _key_id(pem, trusted["keys"]),
            self.principal_id,
            now,
            lifetime_seconds=self.lifetime_seconds,
            client=CLIENT,
        )


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """The token that `assay login` stored in a data folder."""

    folder: DataFolder

    def __call__(self) -> str:
        """Return the stored token while it is valid."""
        session = read_session(self.folder)
        if float(str(session["expire_time"])) <= time.time():
            raise Unauthenticated(
                f"The login of {session['login']} has ended: log in again, or log out.",
                reason="UNAUTHENTICATED",
                metadata={"login": str(session["login"])},
            )
        return str(session["token"])


def log_in(folder: DataFolder, login: str) -> str:
    """Store a session as `login` in the folder; return the principal."""
    issuer = LocalIssuer(folder, folder.principal_id(login), _SESSION_SECONDS)
    session = {
        "login": login,
        "principal": f"principals/{issuer.principal_id}",
        "token": issuer(),
        "expire_time": int(time.time()) + _SESSION_SECONDS,
    }
    write_private(folder.session, json.dumps(session, indent=2).encode())
    return str(session["principal"])


def log_out(folder: DataFolder) -> bool:
    """Forget the stored session; say whether there was one."""
    was_there = folder.session.exists()
    folder.session.unlink(missing_ok=True)
    return was_there


def read_session(folder: DataFolder) -> dict[str, object]:
    """Return the stored session."""
    try:
        session: object = json.loads(folder.session.read_bytes())
    except (OSError, ValueError) as error:
        raise FailedPrecondition(f"The file {folder.session} cannot be read: {error}.") from error
    if not isinstance(session, dict) or not {"login", "token", "expire_time"} <= session.keys():
        raise FailedPrecondition(f"Log out and in again: {folder.session} is damaged.")
    return session


def _key_id(pem: bytes, trusted: list[dict[str, str]]) -> str:
    """Return the name under which the services know the issuer's key."""
    public = b64url(keys.from_pem(pem).public)
    for key in trusted:
        if key.get("x") == public:
            return key["kid"]
    raise FailedPrecondition("The services do not trust the issuer's key of this data folder.")
