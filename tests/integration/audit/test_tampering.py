"""Nobody who runs a service can change or take away what the log holds."""

import asyncpg
import pytest

from assay.metadata.v1.events_pb2 import ModelCreated
from assay_serve.embedded import postgres
from assay_serve.embedded.contexts import SERVICES
from tests.support.read_model import Following
from tests.support.scribe import Scribe

CHANGES = (
    "UPDATE log SET body = ''",
    "UPDATE log SET is_valid = NOT is_valid WHERE false",
    "DELETE FROM log",
    "DELETE FROM log WHERE revision = 1",
    "TRUNCATE log",
    "TRUNCATE log, holding CASCADE",
    """MERGE INTO log USING (SELECT 1 AS revision) s ON log.revision = s.revision
        WHEN MATCHED THEN DELETE""",
    "INSERT INTO log SELECT * FROM log ON CONFLICT (revision) DO UPDATE SET body = ''",
)
BREAKINS = (
    "DROP TABLE log",
    "DROP TABLE log CASCADE",
    "DROP SCHEMA audit CASCADE",
    "ALTER SCHEMA audit RENAME TO gone",
    "ALTER TABLE log RENAME TO gone",
    "ALTER TABLE log SET SCHEMA public",
    "ALTER TABLE log DISABLE TRIGGER ALL",
    "ALTER TABLE log DROP COLUMN body",
    "ALTER TABLE log ALTER COLUMN body TYPE text",
    "ALTER TABLE log OWNER TO audit",
    "DROP TRIGGER log_only_grows ON log",
    "DROP FUNCTION refuse_change CASCADE",
    """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RETURN NULL; END'""",
    "CREATE RULE quiet AS ON INSERT TO log DO INSTEAD NOTHING",
    "CREATE TRIGGER quiet BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "ALTER TABLE log ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY hidden ON log USING (false)",
    "CREATE TABLE audit.more (x int)",
    "CREATE TABLE public.log (x int)",
    "CREATE TEMP TABLE log (x int)",
    "CREATE SCHEMA other",
    "SET ROLE audit_owner",
    "SET SESSION AUTHORIZATION audit_owner",
    "SET session_replication_role = replica",
    "GRANT audit_owner TO audit",
    "ALTER ROLE audit SUPERUSER",
    "ALTER ROLE audit_owner PASSWORD 'known'",
    "ALTER DATABASE audit RENAME TO gone",
    "DROP DATABASE audit",
    "COPY log TO PROGRAM 'cat'",
    "UPDATE registration SET registrant = ''",
    "UPDATE request SET submitter = ''",
    "UPDATE signature SET signer = ''",
    "DELETE FROM signature",
    "DELETE FROM holding",
    "UPDATE moment SET stream_time = 'epoch'",
    "DELETE FROM position",
)


@pytest.fixture
async def filled(scribe: Scribe, log: Following) -> Following:
    """A log with some events in it."""
    await log.reach(await scribe.write(ModelCreated(name="namespaces/default/models/churn")))
    return log


@pytest.mark.requirement("A5")
@pytest.mark.parametrize("is_rebuilt", [False, True])
async def test_who_serves_can_only_add(
    filled: Following, database: postgres.Database, is_rebuilt: bool
) -> None:
    if is_rebuilt:
        await filled.rebuilder.rebuild()
    before = await rows(database)
    db = await asyncpg.connect(database.url("audit"), server_settings={"search_path": "audit"})
    await db.execute("GRANT ALL ON log TO audit")  # Postgres warns, and grants nothing
    let_through = [change for change in (*BREAKINS, *CHANGES) if not await is_refused(db, change)]
    await db.close()
    assert let_through == []
    assert await rows(database) == before


@pytest.mark.requirement("A5")
@pytest.mark.parametrize("is_rebuilt", [False, True])
async def test_the_owner_is_refused_by_the_table_itself(
    filled: Following, database: postgres.Database, is_rebuilt: bool
) -> None:
    if is_rebuilt:
        await filled.rebuilder.rebuild()
    before = await rows(database)
    url = database.owner_url("audit")
    db = await asyncpg.connect(url, server_settings={"search_path": "audit"})
    let_through = [change for change in CHANGES if not await is_refused(db, change)]
    await db.close()
    assert let_through == []
    assert await rows(database) == before


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "audit"])
async def test_other_services_do_not_even_get_in(
    filled: Following, database: postgres.Database, service: str
) -> None:
    url = database.url(service).rpartition("/")[0] + "/audit"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url)


async def is_refused(db: asyncpg.Connection, statement: str) -> bool:
    """Tell whether Postgres forbids a statement: for want of a right, not of a table."""
    try:
        await db.execute(statement)
    except (
        asyncpg.InsufficientPrivilegeError,
        asyncpg.InvalidGrantOperationError,
        asyncpg.ObjectInUseError,
    ):
        return True
    return False


async def rows(database: postgres.Database) -> list[asyncpg.Record]:
    url = database.owner_url("audit")
    db = await asyncpg.connect(url, server_settings={"search_path": "audit"})
    found = await db.fetch("SELECT * FROM log ORDER BY revision")
    await db.close()
    assert found
    return found
