"""The data folder of a stack, as a client sees it: addresses, and the local issuer's secrets."""

import fcntl
import json
import os
import re
import tempfile
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from assay.errors import FailedPrecondition, Invalid

DEFAULT = ".assay"
OWNER = "owner"
_MAX_LOGIN_BYTES = 100
_LOGIN = re.compile(r"[^\s/\\:\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A data folder; whoever may read its secrets is its local owner."""

    path: Path

    @classmethod
    def find(cls, given: str | Path | None = None) -> Self:
        """Return the folder `given`, else that of ASSAY_DATA, else `./.assay`."""
        return cls(Path(given or os.environ.get("ASSAY_DATA", "") or DEFAULT).absolute())

    @property
    def issuer(self) -> Path:
        """The file of the local issuer's private key."""
        return self.path / "identity" / "issuer.pem"

    @property
    def trusted_keys(self) -> Path:
        """The file of the public keys that the services trust."""
        return self.path / "identity" / "jwks.json"

    @property
    def session(self) -> Path:
        """The file of the login that later commands act as."""
        return self.path / "identity" / "session.json"

    @property
    def freshness(self) -> Path:
        """The file of the newest consistency token that a command has seen."""
        return self.path / "run" / "consistency-token"

    def key_file(self, login: str) -> Path:
        """Return the file of a person's encrypted signing key."""
        return self.path / "keys" / f"{checked_login(login)}.json"

    def is_owned(self) -> bool:
        """Say whether this process may read the local issuer's key."""
        return os.access(self.issuer, os.R_OK)

    def secret(self, name: str) -> str:
        """Return one entry of `secrets.json`."""
        path = self.path / "secrets.json"
        value = _read_object(path).get(name)
        if not isinstance(value, str):
            raise FailedPrecondition(f"The file {path} has no entry {name}.")
        return value

    def principal_id(self, login: str) -> str:
        """Return the UUID of the principal who logs in as `login`; make one on first use."""
        if checked_login(login) == OWNER:
            return self.secret("owner")
        path = self.path / "identity" / "logins.json"
        with _locked(path):
            logins = _read_object(path) if path.exists() else {}
            known = logins.setdefault(login, str(uuid.uuid4()))
            write_private(path, json.dumps(logins, indent=2, sort_keys=True).encode())
        return str(known)

    def logins(self) -> dict[str, str]:
        """Return who is who: login by principal UUID, as far as this folder knows."""
        path = self.path / "identity" / "logins.json"
        known = _read_object(path) if path.exists() else {}
        named = {str(principal): login for login, principal in known.items()}
        return {**named, self.secret("owner"): OWNER}


def checked_login(login: str) -> str:
    """Return `login` if it may name a person and a file."""
    fits = _LOGIN.fullmatch(login) and len(login.encode()) <= _MAX_LOGIN_BYTES
    if not fits or login in {".", ".."} or not unicodedata.is_normalized("NFC", login):
        raise Invalid(
            "A login is a short name without spaces, slashes or colons.", metadata={"login": login}
        )
    return login


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a file that only this user may read; whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(temporary).replace(path)
        else:
            path.hardlink_to(temporary)  # fails where the file is there already
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes out while a file is read and written."""
    lock = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_object(path: Path) -> dict[str, object]:
    try:
        value: object = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FailedPrecondition(f"The file {path} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise FailedPrecondition(f"The file {path} must hold a JSON object.")
    return value
