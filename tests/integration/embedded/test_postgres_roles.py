"""A role reaches its own database, and nothing of another's."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from assay_serve.embedded import ports, postgres, processes
from assay_serve.embedded.contexts import SERVICES

PAIRS = [(one, other) for one in SERVICES for other in SERVICES if one != other]
REFUSED = asyncpg.exceptions.InsufficientPrivilegeError


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Database]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    with postgres.running(folder) as database:
        yield database


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "audit"])
async def test_a_service_makes_drops_and_renames_its_own_schemas(
    database: postgres.Database, service: str
) -> None:
    connection = await asyncpg.connect(database.url(service))
    await connection.execute("CREATE SCHEMA green; CREATE TABLE green.row (id int PRIMARY KEY)")
    await connection.execute("ALTER SCHEMA green RENAME TO live; INSERT INTO live.row VALUES (1)")
    await connection.execute("DROP SCHEMA live CASCADE")
    await connection.close()


@pytest.mark.parametrize(("service", "other"), PAIRS)
async def test_a_service_cannot_enter_the_database_of_another(
    database: postgres.Database, service: str, other: str
) -> None:
    for url in {database.url(service), database.owner_url(service)}:
        with pytest.raises(REFUSED):
            await asyncpg.connect(url.rpartition("/")[0] + f"/{other}")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_has_no_other_place_to_go(
    database: postgres.Database, service: str
) -> None:
    for name in ("postgres", "template1"):
        with pytest.raises(REFUSED):
            await asyncpg.connect(database.url(service).rpartition("/")[0] + f"/{name}")
    connection = await asyncpg.connect(database.owner_url(service))
    for statement in (
        "CREATE ROLE more SUPERUSER",
        "CREATE DATABASE more",
        "SET ROLE postgres",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "ALTER SYSTEM SET fsync = off",
    ):
        with pytest.raises(REFUSED):
            await connection.execute(statement)
    await connection.close()


async def test_who_serves_the_audit_log_can_neither_make_nor_drop_its_tables(
    database: postgres.Database,
) -> None:
    owner = await asyncpg.connect(database.owner_url("audit"))
    await owner.execute("CREATE SCHEMA audit; CREATE TABLE audit.log (id int)")
    await owner.execute("GRANT USAGE ON SCHEMA audit TO audit")
    await owner.execute("GRANT SELECT, INSERT ON audit.log TO audit")
    serving = await asyncpg.connect(database.url("audit"))
    await serving.execute("INSERT INTO audit.log VALUES (1)")
    for statement in (
        "DELETE FROM audit.log",
        "UPDATE audit.log SET id = 2",
        "TRUNCATE audit.log",
        "DROP TABLE audit.log",
        "ALTER TABLE audit.log OWNER TO audit",
        "CREATE SCHEMA more",
        "SET ROLE audit_owner",
    ):
        with pytest.raises(REFUSED):
            await serving.execute(statement)
    assert await serving.fetchval("SELECT id FROM audit.log") == 1
    await serving.close()
    await owner.close()


async def test_acknowledged_rows_are_on_disk(database: postgres.Database) -> None:
    connection = await asyncpg.connect(database.admin_url)
    shown = {
        name: await connection.fetchval(f"SHOW {name}")
        for name in ("fsync", "synchronous_commit", "data_checksums", "listen_addresses")
    }
    await connection.close()
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "127.0.0.1",
    }


def test_root_needs_no_user_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most containers forbid them; there Postgres runs as nobody, and can change back later."""
    if os.geteuid() != 0:
        pytest.skip("only root is refused by Postgres")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    forbidden = tmp_path / "unshare"
    forbidden.write_text("#!/bin/sh\nexit 1\n")
    forbidden.chmod(0o755)
    assert _owner_of_a_server(closed / "data") == "root"
    with monkeypatch.context() as changed:
        changed.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        postgres._as_ordinary_user.cache_clear()
        assert _owner_of_a_server(closed / "data") == "nobody"
        assert _owner_of_a_server(closed / "new") == "nobody"
    postgres._as_ordinary_user.cache_clear()
    assert _owner_of_a_server(closed / "new") == "root"


async def test_nobody_gets_in_without_a_password(database: postgres.Database) -> None:
    for user in ("postgres", "metadata"):
        with pytest.raises(asyncpg.exceptions.InvalidPasswordError):
            await asyncpg.connect(
                host="127.0.0.1", port=database.port, user=user, password="x", database=user
            )


def _owner_of_a_server(folder: Path) -> str:
    """Start a server on `folder` and return as whom it runs."""
    folder.mkdir(exist_ok=True)
    log, port = folder / "postgres.log", ports.free(set())
    postgres.initialise(folder, "password", log)
    server = processes.Running(postgres.program(folder, log, port), lambda: postgres.is_ready(port))
    server.start()
    try:
        return pwd.getpwuid(Path(f"/proc/{server.pid}").stat().st_uid).pw_name
    finally:
        server.stop()
