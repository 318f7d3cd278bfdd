"""What the log answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import asyncpg

from assay.type.v1.actor_pb2 import ActorKind
from assay_serve.filtering import Column, Fields, Kind

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

FILTERABLE: Fields = {
    "revision": Column("revision", Kind.INTEGER),
    "time": Column("time", Kind.TIME),
    "context": Column("context"),
    "type": Column("type"),
    "resource": Column("resource", Kind.RESOURCE),
    "actor": Column("actor"),
    "actor_kind": Column("actor_kind", Kind.CHOICE, dict(ActorKind.items())),
    "request_id": Column("request_id"),
    "is_valid": Column("is_valid", Kind.BOOLEAN),
}
ENTRY_COLUMNS = "revision, stream_time, nats_subject, type, is_valid, defect, body"
GET_ENTRY = f"SELECT {ENTRY_COLUMNS} FROM log WHERE revision = $1"  # noqa: S608 - own columns

HOLDER = """
SELECT version, approval, actor, revision, enter_time FROM holding
WHERE name = $1 AND from_revision <= $2 AND to_revision > $2
"""
REGISTRATION = """
SELECT manifest_digest, registrant FROM registration
WHERE version = $1 AND revision <= $2 ORDER BY revision LIMIT 1
"""
REQUEST = """
SELECT submitter, policies FROM request
WHERE approval = $1 AND revision <= $2 ORDER BY revision LIMIT 1
"""
IS_REVOKED = """
SELECT is_revoked FROM outcome
WHERE approval = $1 AND from_revision <= $2 AND to_revision > $2
"""
# A signature counts if it covers this very version, digest and target, and its key might sign then.
SIGNERS = """
SELECT DISTINCT ON (s.signer) s.signer, s.printed_name, s.key, s.sign_time, s.reason, s.revision
FROM signature s JOIN signing_key k ON k.name = s.key AND k.public_key = s.public_key
    AND NOT k.is_revoked AND k.from_revision < s.revision AND k.to_revision > s.revision
WHERE s.approval = $1 AND s.revision <= $2
    AND s.target = $3 AND s.version = $4 AND s.manifest_digest = $5
ORDER BY s.signer, s.revision
"""


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the log, as much of it as is needed to show it."""

    revision: int
    stream_time: datetime
    nats_subject: str
    type: str
    is_valid: bool
    defect: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Approval:
    """What is known of the approval that let a version in; signers in the order of signing."""

    name: str = ""
    submitter: str = ""
    policies: Sequence[str] = ()
    signers: Sequence[asyncpg.Record] = ()
    is_revoked: bool = False


async def find_entry(db: Connection, revision: int) -> LogRow | None:
    """Return one row of the log."""
    found = await db.fetchrow(GET_ENTRY, revision)
    return LogRow(**found) if found else None


async def find_holder(db: Connection, target: str, revision: int) -> asyncpg.Record | None:
    """Return what an alias or stage held at a revision; None where it was never set."""
    return await db.fetchrow(HOLDER, target, revision)


async def find_registration(db: Connection, version: str, revision: int) -> asyncpg.Record | None:
    """Return how a version was registered."""
    return await db.fetchrow(REGISTRATION, version, revision)


async def find_approval(
    db: Connection, name: str, revision: int, *, target: str, version: str, manifest_digest: str
) -> Approval:
    """Return an approval as it was at a revision, with the signatures that cover the version."""
    request = await db.fetchrow(REQUEST, name, revision)
    is_revoked = await db.fetchval(IS_REVOKED, name, revision)
    signers = await db.fetch(SIGNERS, name, revision, target, version, manifest_digest)
    return Approval(
        name=name,
        submitter=request["submitter"] if request else "",
        policies=request["policies"] if request else (),
        signers=sorted(signers, key=lambda signer: int(signer["revision"])),
        is_revoked=bool(is_revoked),
    )
