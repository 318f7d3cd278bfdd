"""The NATS server: one account holds the stream, and one account a service may reach parts of it.

An account boundary is what a service can't cross: users of one account can write any subject
through the reply field of a request, so permissions inside one account protect nothing.
"""

import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assay_serve.embedded import binaries, files, ports
from assay_serve.embedded.contexts import SERVICES
from assay_serve.embedded.processes import Program, Running

STREAM = "ASSAY"
USERS = ("setup", *SERVICES)
API = "assay.js"  # what a service calls `$JS.API`, which its own account answers otherwise
CONFIG = "nats.conf"

# What a service may ask of the stream. A name of a consumer lets its holder change it, so names
# are random, and nothing that lists them is here: no CONSUMER.NAMES, no JSZ.
_SINGLE = (f"CONSUMER.CREATE.{STREAM}.>", f"DIRECT.GET.{STREAM}.>", f"STREAM.INFO.{STREAM}")
_STREAMED = (f"CONSUMER.MSG.NEXT.{STREAM}.>", f"DIRECT.GET.{STREAM}")
# Where a service sees `sync_always`: that an acknowledged event is on disk.
_SETTINGS = ("$SYS.REQ.SERVER.PING.VARZ", "assay.ops.varz")


def accounts(passwords: Mapping[str, str]) -> str:
    """Return the accounts as NATS configuration; `passwords` are written as they come."""
    everyone = ", ".join(name.upper() for name in SERVICES)
    exports = [f'{{service: "assay.v1.{name}.>", accounts: [{name.upper()}]}}' for name in SERVICES]
    exports += [f'{{service: "$JS.API.{call}", accounts: [{everyone}]}}' for call in _SINGLE]
    exports += [
        f'{{service: "$JS.API.{call}", response_type: stream, accounts: [{everyone}]}}'
        for call in _STREAMED
    ]
    settings = (
        f'{{service: "{_SETTINGS[0]}", response_type: stream, accounts: [STORE, {everyone}]}}'
    )
    blocks = [
        "system_account: SYS",
        "accounts {",
        _account("SYS", [], exports=[settings]),
        _account("STORE", ["jetstream: enabled", _user("setup", passwords)], [_varz()], exports),
        *(_account(name.upper(), [_user(name, passwords)], _imports(name)) for name in SERVICES),
        "}",
    ]
    return "\n".join(blocks) + "\n"


def config(port: int, passwords: Mapping[str, str]) -> str:
    """Return the whole configuration of the embedded server."""
    quoted = {user: json.dumps(password) for user, password in passwords.items()}
    return (
        f'listen: "{ports.HOST}:{port}"\n'
        'server_name: "assay"\n'
        "max_payload: 1MB\n"
        'jetstream { store_dir: ".", sync_interval: always }\n' + accounts(quoted)
    )


def program(folder: Path, log: Path, port: int, passwords: Mapping[str, str]) -> Program:
    """Return the server on `port` with its data in `folder`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write(folder / CONFIG, config(port, passwords))
    return Program(
        name="nats", argv=(str(binaries.nats_server()), "-c", CONFIG), folder=folder, log=log
    )


def is_ready(port: int) -> bool:
    """Say whether the server greets its clients."""
    try:
        with socket.create_connection((ports.HOST, port), timeout=1) as client:
            return client.recv(5) == b"INFO "
    except OSError:
        return False


def make_passwords() -> dict[str, str]:
    """Return a new password for each user."""
    # With a letter first, as NATS reads a value from the environment as a number where it can.
    return {user: f"k{secrets.token_urlsafe(24)}" for user in USERS}


@dataclass(frozen=True, slots=True)
class Bus:
    """A running NATS server and the passwords of its users."""

    server: Running
    url: str
    passwords: Mapping[str, str]


@contextmanager
def running(folder: Path) -> Iterator[Bus]:
    """Run a server with its data in `folder`, on a free port, for the length of the block."""
    port, passwords = ports.free(set()), make_passwords()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    started = program(folder, folder / "nats.log", port, passwords)
    server = Running(started, lambda: is_ready(port))
    server.start()
    try:
        yield Bus(server, f"nats://{ports.HOST}:{port}", passwords)
    finally:
        server.stop()


def _imports(service: str) -> list[str]:
    return [
        f'{{service: {{account: STORE, subject: "assay.v1.{service}.>"}}}}',
        *(
            f'{{service: {{account: STORE, subject: "$JS.API.{call}"}}, to: "{API}.{call}"}}'
            for call in (*_SINGLE, *_STREAMED)
        ),
        _varz(),
    ]


def _varz() -> str:
    return f'{{service: {{account: SYS, subject: "{_SETTINGS[0]}"}}, to: "{_SETTINGS[1]}"}}'


def _user(name: str, passwords: Mapping[str, str]) -> str:
    return f"users: [{{user: {name}, password: {passwords[name]}}}]"


def _account(
    name: str, lines: list[str], imports: list[str] | None = None, exports: list[str] | None = None
) -> str:
    body = list(lines)
    for title, entries in (("imports", imports), ("exports", exports)):
        if entries:
            body += [f"{title}: [", *(f"  {entry}" for entry in entries), "]"]
    return "\n".join([f"  {name} {{", *(f"    {line}" for line in body), "  }"])
