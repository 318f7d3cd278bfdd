"""The Postgres server: one database and one role a service; none can reach another's tables.

The audit log has two roles: `audit_owner` owns its tables, and `audit`, which serves, may only
read them and add to them.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assay_serve.embedded import binaries, ports
from assay_serve.embedded.contexts import SERVICES
from assay_serve.embedded.failures import Failed, Refused
from assay_serve.embedded.processes import Program, Running

ADMIN = "postgres"
AUDIT_OWNER = "audit_owner"
ROLES = (*SERVICES, AUDIT_OWNER)
SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "wal_level": "logical",
}
_DATA = "data"
_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_NOBODY = 65534


def owner_of(service: str) -> str:
    """Return the role that owns the tables of `service`."""
    return AUDIT_OWNER if service == "audit" else service


def roles_sql(passwords: Mapping[str, str]) -> str:
    """Return the SQL, for psql, that makes roles and databases; `passwords` are SQL literals."""
    closed = "".join(
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;\n" for name in ("postgres", "template1")
    )
    roles = "".join(_role_sql(role, passwords[role]) for role in ROLES)
    return closed + roles + "".join(_database_sql(name, owner_of(name)) for name in SERVICES)


def initialise(folder: Path, password: str, log: Path) -> None:
    """Make an empty database cluster in `folder`, unless there is one."""
    data = folder / _DATA
    if data.exists():
        _check_version(data)
        _give(data)
        (data / "postmaster.pid").unlink(missing_ok=True)  # the caller knows that no server runs
        return
    new = folder / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    _give(new)
    command = (
        _tool("initdb"), "-D", "new", "-U", ADMIN,
        "--auth=scram-sha-256", "--pwfile=/dev/stdin", *_LOCALE,
    )  # fmt: skip
    _run((*_as_ordinary_user(), *command), folder, log, password)
    new.rename(data)


def program(folder: Path, log: Path, port: int) -> Program:
    """Return the server on `port` over the cluster in `folder`."""
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command = (_tool("postgres"), "-D", _DATA, f"--port={port}", *settings)
    return Program(
        name="postgres",
        argv=(*_as_ordinary_user(), *command),
        folder=folder,
        log=log,
        # INT asks for a quick end that waits for no client.
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGINT,
    )


def is_ready(port: int) -> bool:
    """Say whether the server takes connections."""
    command = (_tool("pg_isready"), "-q", "-t", "1", "-h", ports.HOST, "-p", str(port))
    return subprocess.run(command, check=False, timeout=10).returncode == 0


def make_roles(folder: Path, log: Path, port: int, passwords: Mapping[str, str]) -> None:
    """Make each role and database that is missing, and set each password."""
    literals = {role: f"'{password}'" for role, password in passwords.items()}
    command = (
        _tool("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
        "-h", ports.HOST, "-p", str(port), "-U", ADMIN, "-d", ADMIN, "-f", "-",
    )  # fmt: skip
    _run(command, folder, log, roles_sql(literals), {"PGPASSWORD": passwords[ADMIN]})


def make_passwords() -> dict[str, str]:
    """Return a new password for each role."""
    return {role: secrets.token_urlsafe(24) for role in (ADMIN, *ROLES)}


def url(port: int, role: str, password: str, database: str) -> str:
    """Return where `role` finds `database`."""
    return f"postgresql://{role}:{password}@{ports.HOST}:{port}/{database}"


@dataclass(frozen=True, slots=True)
class Database:
    """A running Postgres with the databases and roles of all services."""

    server: Running
    port: int
    passwords: Mapping[str, str]

    def url(self, service: str) -> str:
        """Return where the running service finds its database."""
        return url(self.port, service, self.passwords[service], service)

    def owner_url(self, service: str) -> str:
        """Return where the owner of the tables of `service` finds them."""
        owner = owner_of(service)
        return url(self.port, owner, self.passwords[owner], service)

    @property
    def admin_url(self) -> str:
        """Where the superuser logs in."""
        return url(self.port, ADMIN, self.passwords[ADMIN], ADMIN)


@contextmanager
def running(folder: Path) -> Iterator[Database]:
    """Run a server with its data in `folder`, on a free port, for the length of the block."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log, port, passwords = folder / "postgres.log", ports.free(set()), make_passwords()
    initialise(folder, passwords[ADMIN], log)
    server = Running(program(folder, log, port), lambda: is_ready(port))
    server.start()
    try:
        make_roles(folder, log, port, passwords)
        yield Database(server, port, passwords)
    finally:
        server.stop()


def _role_sql(role: str, password: str) -> str:
    return (
        f"SELECT 'CREATE ROLE {role}' WHERE to_regrole('{role}') IS NULL\n\\gexec\n"
        f"ALTER ROLE {role} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
        f" NOBYPASSRLS PASSWORD {password};\n"
    )


def _database_sql(name: str, owner: str) -> str:
    missing = f"NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}')"
    lines = [
        f"SELECT 'CREATE DATABASE {name} OWNER {owner}' WHERE {missing}\n\\gexec",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
    ]
    if owner != name:
        lines.append(f"GRANT CONNECT ON DATABASE {name} TO {name};")
    return "\n".join(lines) + "\n"


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    if found != binaries.POSTGRES_MAJOR:
        raise Refused(
            f"{data} was made by Postgres {found} and this is {binaries.POSTGRES_MAJOR};"
            " move that folder away and `assay rebuild` fills a new one from the record."
        )


def _tool(name: str) -> str:
    return str(binaries.postgres() / name)


def _run(
    command: tuple[str, ...],
    folder: Path,
    log: Path,
    text: str,
    env: Mapping[str, str] | None = None,
) -> None:
    with log.open("ab") as out:
        done = subprocess.run(
            command, cwd=folder, input=text.encode(), stdout=out, stderr=out, check=False,
            env={"PATH": os.environ.get("PATH", ""), **(env or {})},
        )  # fmt: skip
    if done.returncode:
        name = next(part for part in command if part.startswith(str(binaries.postgres())))
        raise Failed(f"Postgres can't be set up: {Path(name).name} failed.", log)


@cache
def _as_ordinary_user() -> tuple[str, ...]:
    """Return what lets root start Postgres, which refuses root: nothing for anyone else."""
    if os.geteuid() != 0:
        return ()
    namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if _works((*namespace, "true")):
        return namespace
    # Where user namespaces are forbidden, as in most containers: another user who may still
    # pass the closed folders on the way.
    nobody = (
        "setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups",
        "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
    )  # fmt: skip
    if _works((*nobody, "true")):
        return nobody
    raise Refused("Postgres does not run as root here; start Assay as an ordinary user.")


def _works(command: tuple[str, ...]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _give(folder: Path) -> None:
    """Make `folder` belong to whom Postgres runs as, should root have changed the way above."""
    if os.geteuid() != 0:
        return
    owner = _NOBODY if "setpriv" in _as_ordinary_user() else 0
    if folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner, follow_symlinks=False)
