"""What the log answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import asyncpg

from assay.audit.v1.audit_service_pb2 import ListLogEntriesRequest
from assay.type.v1.actor_pb2 import ActorKind
from assay_serve import paging
from assay_serve.filtering import Column, Fields, Kind
from assay_serve.paging import Key, Orders
from assay_serve.postgres import Connection

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
_REVISION = Key("revision", Kind.INTEGER)
ORDERS = Orders({"revision": _REVISION}, default="revision", tie=_REVISION)
MOST_PAGE_BYTES = 1024 * 1024

LIST_ENTRIES = """
SELECT revision, stream_time, nats_subject, type, is_valid, defect, body FROM log
WHERE revision <= $1
"""
GET_ENTRY = """
SELECT revision, stream_time, nats_subject, type, is_valid, defect, body FROM log
WHERE revision = $1
"""

# Who moved a holder in, and when, tells the first event since which it has held by its approval
# without a break.
HOLDERS = """
SELECT h.version, h.approval, e.actor, e.revision, e.enter_time
FROM holding n CROSS JOIN LATERAL unnest(n.versions, n.approvals)
    WITH ORDINALITY AS h (version, approval, place)
CROSS JOIN LATERAL (
    SELECT x.actor, x.revision, x.enter_time FROM holding x
    WHERE x.name = n.name AND x.from_revision <= n.from_revision AND x.from_revision > coalesce((
        SELECT max(y.from_revision) FROM holding y
        WHERE y.name = n.name AND y.from_revision <= n.from_revision
        AND NOT EXISTS (SELECT FROM unnest(y.versions, y.approvals) AS z (version, approval)
            WHERE z.version = h.version AND z.approval = h.approval)), 0)
    ORDER BY x.from_revision LIMIT 1) e
WHERE n.name = $1 AND n.from_revision <= $2 AND n.to_revision > $2 ORDER BY h.place
"""
# What lies below a resource sorts between its name with "/" and its name with "0".
IS_KNOWN = """
SELECT EXISTS (SELECT FROM log WHERE is_valid AND (resource COLLATE "C" = $1
    OR resource COLLATE "C" >= $1 || '/' AND resource COLLATE "C" < $1 || '0'))
"""
REGISTRATION = """
SELECT manifest_digest, registrant FROM registration
WHERE version = $1 AND revision <= $2 ORDER BY revision LIMIT 1
"""
REQUEST = """
SELECT submitter, policies, terms FROM request
WHERE approval = $1 AND revision <= $2 ORDER BY revision LIMIT 1
"""
IS_REVOKED = """
SELECT is_revoked FROM outcome
WHERE approval = $1 AND from_revision <= $2 AND to_revision > $2
"""
# A signature counts if it covers this very version and target under these very terms, and its key
# might sign then.
SIGNERS = """
SELECT DISTINCT ON (s.signer) s.signer, s.printed_name, s.key, s.sign_time, s.reason, s.revision
FROM signature s JOIN signing_key k ON k.name = s.key AND k.public_key = s.public_key
    AND NOT k.is_revoked AND k.from_revision < s.revision AND k.to_revision > s.revision
WHERE s.approval = $1 AND s.revision <= $2
    AND s.target = $3 AND s.version = $4 AND s.manifest_digest = $5 AND s.terms = $6
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
class LogPage:
    """Some rows of the log, and the token of the next page, empty on the last."""

    rows: Sequence[LogRow]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Approval:
    """What is known of the approval that let a version in; signers in the order of signing."""

    name: str = ""
    submitter: str = ""
    policies: Sequence[str] = ()
    signers: Sequence[asyncpg.Record] = ()
    is_revoked: bool = False


async def list_entries(db: Connection, request: ListLogEntriesRequest, revision: int) -> LogPage:
    """Return a page of the log as it was at a revision; large events make it a shorter one."""
    page = await paging.fetch(db, LIST_ENTRIES, [revision], request, ORDERS, FILTERABLE)
    fitting = _fitting([len(row["body"]) for row in page.rows])
    if fitting < len(page.rows):
        shorter = ListLogEntriesRequest()
        shorter.CopyFrom(request)
        shorter.page_size = fitting
        page = await paging.fetch(db, LIST_ENTRIES, [revision], shorter, ORDERS, FILTERABLE)
    return LogPage([LogRow(**row) for row in page.rows], page.next_page_token)


def _fitting(sizes: Sequence[int]) -> int:
    """Return how many of the first bodies fit into one answer, at least one."""
    fitting = sum(total <= MOST_PAGE_BYTES for total in accumulate(sizes))
    return max(fitting, 1)


async def find_entry(db: Connection, revision: int) -> LogRow | None:
    """Return one row of the log."""
    found = await db.fetchrow(GET_ENTRY, revision)
    return LogRow(**found) if found else None


async def find_holders(db: Connection, target: str, revision: int) -> list[asyncpg.Record]:
    """Return which versions held an alias or stage at a revision, in the order of entering."""
    return await db.fetch(HOLDERS, target, revision)


async def is_known(db: Connection, resource: str) -> bool:
    """Return whether anything ever happened to a resource or below it."""
    found: bool = await db.fetchval(IS_KNOWN, resource)
    return found


async def find_registration(db: Connection, version: str, revision: int) -> asyncpg.Record | None:
    """Return how a version was registered."""
    return await db.fetchrow(REGISTRATION, version, revision)


async def find_approval(
    db: Connection, name: str, revision: int, *, target: str, version: str, manifest_digest: str
) -> Approval:
    """Return an approval as it was at a revision, with the signatures that cover the version."""
    request = await db.fetchrow(REQUEST, name, revision)
    if request is None:
        return Approval(name)
    signers = await db.fetch(
        SIGNERS, name, revision, target, version, manifest_digest, request["terms"]
    )
    return Approval(
        name=name,
        submitter=request["submitter"],
        policies=request["policies"],
        signers=sorted(signers, key=lambda signer: int(signer["revision"])),
        is_revoked=bool(await db.fetchval(IS_REVOKED, name, revision)),
    )
