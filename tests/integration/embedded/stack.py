"""A stack of real servers below stand-in services, driven from outside as a user drives it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import nats
from nats.aio.client import Client

from assay_serve.embedded.contexts import SERVICES

BACKENDS = ("nats", "postgres", "s3")
HERE = Path(__file__).parent
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(slots=True)
class Stack:
    """The command line of the embedded stack on one data folder."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    python: str = sys.executable

    def run(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            self.command(verb, *arguments), env=self.environ(), capture_output=True, text=True,
            check=False, timeout=100, cwd=self.path.parent if self.path.parent.is_dir() else "/",
        )  # fmt: skip

    def command(self, verb: str, *arguments: str) -> tuple[str, ...]:
        """Return the command line of a verb."""
        module = ("-m", "assay_serve.embedded", verb, "--data", str(self.path))
        return (*self.before, self.python, *module, *arguments)

    def environ(self) -> dict[str, str]:
        """Return an environment in which every service is the stand-in."""
        modules = json.dumps(dict.fromkeys((*SERVICES, "setup"), "stand_in"))
        own = {"ASSAY_MODULES": modules, "PYTHONPATH": str(HERE)}
        return {**os.environ, **own, **self.env}

    def up(self) -> dict[str, str]:
        """Bring it up and return the endpoints."""
        done = self.run("up", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        endpoints: dict[str, str] = json.loads(done.stdout)["endpoints"]
        return endpoints

    def status(self) -> dict[str, dict[str, str | int | float]]:
        """Return the lines of the status by name."""
        lines = json.loads(self.run("status", "--json").stdout)["processes"]
        return {line["name"]: line for line in lines}

    def is_healthy(self) -> bool:
        """Say whether the status is that of a healthy stack."""
        return self.run("status").returncode == 0

    def secrets(self) -> dict[str, Json]:
        """Return what the stack keeps secret."""
        kept: dict[str, Json] = json.loads((self.path / "secrets.json").read_text())
        return kept


def runs(pid: int) -> bool:
    """Say whether a process runs (one that ended and was not yet collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until `is_so()`; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.1)


async def connect(endpoints: dict[str, str], secrets: dict[str, Json], user: str) -> Client:
    """Return a connection to the NATS server of a stack."""
    passwords = secrets["nats"]
    assert isinstance(passwords, dict)
    return await nats.connect(
        f"nats://{endpoints['nats']}", user=user, password=str(passwords[user])
    )
