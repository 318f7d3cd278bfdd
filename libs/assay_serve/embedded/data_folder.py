"""The data folder of a stack: where things are in it, and whether it may be used."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded.failures import Refused

_PARTS = ("identity", "keys", "nats", "postgres", "s3", "logs", "run")
_KNOWN = {*_PARTS, "endpoints.json", "secrets.json"}
_HALF_WRITTEN = (".endpoints.json.", ".secrets.json.")
_LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class DataFolder:
    """All that a stack keeps lies below `path`, which only its owner may enter."""

    path: Path

    @property
    def endpoints(self) -> Path:
        """Where the services listen; there while the stack is up."""
        return self.path / "endpoints.json"

    @property
    def secrets(self) -> Path:
        """All passwords and keys."""
        return self.path / "secrets.json"

    @property
    def identity(self) -> Path:
        """The keys of the issuer and of the services."""
        return self.path / "identity"

    @property
    def tls(self) -> Path:
        """The certificates by which the services know each other, and their CA."""
        return self.identity / "tls"

    @property
    def run(self) -> Path:
        """What is true only while the stack runs: locks, pids, ports."""
        return self.path / "run"

    def log(self, name: str) -> Path:
        """Return where the process `name` writes what it has to say."""
        return self.path / "logs" / f"{name}.log"

    def exists(self) -> bool:
        """Say whether a stack was ever started here."""
        return self.secrets.exists()


def find(path: Path) -> DataFolder:
    """Return the data folder at `path`, whether it is there or not."""
    return DataFolder(Path(os.path.abspath(path)))  # noqa: PTH100 - a link to a folder stays a link


def prepare(folder: DataFolder) -> None:
    """Make the folder, or see that it is ours to use; raise Refused where it is not."""
    path = folder.path
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check(path)
        path.chmod(0o700)
        for part in _PARTS:
            (path / part).mkdir(mode=0o700, exist_ok=True)
        _see_that_it_can_be_written(folder.run)
    except (FileExistsError, NotADirectoryError) as error:
        raise Refused(f"{error.filename} is a file; name a folder.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"{path} can't be used: {reason}; name another folder.") from error
    for log in (path / "logs").glob("*.log"):
        if log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def _check(path: Path) -> None:
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise Refused(f"{path} belongs to {_login(owner)}; name a folder of your own.")
    names = {entry.name for entry in path.iterdir()}
    strangers = sorted(name for name in names - _KNOWN if not name.startswith(_HALF_WRITTEN))
    if strangers:
        raise Refused(
            f"{path} holds other things, such as {strangers[0]!r}; name an empty or a new folder."
        )


def _see_that_it_can_be_written(folder: Path) -> None:
    probe = folder / "probe"
    probe.touch()
    probe.unlink()


def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
