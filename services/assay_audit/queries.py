"""What the log answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import asyncpg

from assay.audit.v1.audit_service_pb2 import ListLogEntriesRequest
from assay.type.v1.actor_pb2 import ActorKind
from assay_audit.verdict import Outcome, Signature
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
STREAM_TIME = """
SELECT stream_time FROM log WHERE revision <= $1 ORDER BY revision DESC LIMIT 1
"""
REQUEST = """
SELECT submitter, target, quorum, is_break_glass, evidence_digest, policies, terms FROM request
WHERE approval = $1 AND revision <= $2 ORDER BY revision LIMIT 1
"""
ATTACHMENTS = """
SELECT type, artifact, attacher, revision FROM attachment
WHERE approval = $1 AND revision <= $2 ORDER BY revision
"""
OUTCOMES = """
SELECT revision, state, time, expire_time, review_due_time FROM outcome
WHERE approval = $1 AND revision <= $2 ORDER BY revision
"""
# Those that cover this very version and target under these very terms.
SIGNATURES = """
SELECT revision, signer, key, public_key, meaning, step, role, delegator, printed_name, reason,
    reason_code, sign_time
FROM signature
WHERE approval = $1 AND revision <= $2
    AND target = $3 AND version = $4 AND manifest_digest = $5 AND terms = $6
ORDER BY revision
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
    """What is known of the approval that let a version in, each row in the order of the events."""

    name: str
    submitter: str
    target: str
    quorum: int
    is_break_glass: bool
    evidence_digest: str
    policies: Sequence[str]
    attachments: Sequence[asyncpg.Record]
    signatures: Sequence[Signature]
    outcomes: Sequence[Outcome]


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
) -> Approval | None:
    """Return an approval as it was at a revision, with the signatures that cover the version."""
    request = await db.fetchrow(REQUEST, name, revision)
    if request is None:
        return None
    told = dict(request)
    signatures = await db.fetch(
        SIGNATURES, name, revision, target, version, manifest_digest, told.pop("terms")
    )
    return Approval(
        name=name,
        **told,
        attachments=await db.fetch(ATTACHMENTS, name, revision),
        signatures=[Signature(**row) for row in signatures],
        outcomes=[Outcome(**row) for row in await db.fetch(OUTCOMES, name, revision)],
    )


async def stream_time(db: Connection, revision: int) -> datetime:
    """Return when the stream took the event of a revision."""
    time: datetime = await db.fetchval(STREAM_TIME, revision)
    return time
