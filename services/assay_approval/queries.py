"""Where things are found: the events of each, and which there are. The rules tell what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from asyncpg import Record
from google.protobuf.timestamp_pb2 import Timestamp

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Role, Standing
from assay_events.envelope import Stored
from assay_events.projection import OPEN
from assay_serve import paging
from assay_serve.filtering import Column, Entries, Fields, Kind
from assay_serve.postgres import Connection, Snapshot

_T = TypeVar("_T")

SELECT_EVENTS = """
SELECT e.* FROM event e WHERE e.nats_subject = ANY ($1::text[]) AND e.revision <= $2
ORDER BY e.revision
"""
# A request or a signature that has a row of its own was verified by the projection.
SELECT_PASTS = """
SELECT e.nats_subject, e.type, e.body, e.revision, e.stream_time,
    r.revision IS NOT NULL OR s.revision IS NOT NULL AS holds FROM event e
LEFT JOIN approval_requested r ON r.revision = e.revision
LEFT JOIN signature s ON s.revision = e.revision
WHERE e.nats_subject = ANY ($1::text[]) AND e.type = ANY ($2::text[]) AND e.revision <= $3
ORDER BY e.revision
"""
SELECT_PRINCIPALS = """
SELECT p.* FROM principal_created p
WHERE NOT EXISTS (SELECT FROM principal_created e WHERE e.name = p.name AND e.revision < p.revision)
"""
SELECT_ROLES = """
SELECT r.* FROM role r WHERE ($1 = '' OR r.principal = $1)
AND r.from_revision <= $2 AND r.to_revision > $2
AND (r.expire_time IS NULL OR r.expire_time > COALESCE($3::timestamptz, (
    SELECT e.stream_time FROM event e WHERE e.revision <= $2 ORDER BY e.revision DESC LIMIT 1
)))
"""
SELECT_APPROVERS = """
SELECT DISTINCT r.principal FROM role r
WHERE r.role LIKE 'approver:%' AND r.to_revision = 9223372036854775807 LIMIT $1
"""
SELECT_PROPOSALS = """
SELECT p.* FROM proposal p WHERE p.to_revision = 9223372036854775807
AND ($1 = '' OR p.namespace = $1 OR ($1 = 'principals/-' AND p.namespace = ''))
"""
SELECT_POLICIES = """
SELECT p.* FROM (
    SELECT DISTINCT o.policy FROM policy_published o WHERE o.namespace = $1
) p WHERE true
"""
SELECT_APPROVALS = "SELECT a.* FROM approval a WHERE a.namespace = $1"
SELECT_DECIDED = """
SELECT a.name, a.nats_subject, a.revision FROM approval a
WHERE a.namespace = $1 AND a.revision > $2 AND a.state <> 'OPEN' ORDER BY a.revision LIMIT $3
"""
SELECT_GRANTED = """
SELECT a.name FROM approval a
WHERE a.version = $1 AND a.target = $2 AND a.state = 'GRANTED' ORDER BY a.revision DESC
"""
SELECT_OF_VERSION = """
SELECT a.name FROM approval a
WHERE a.version = $1 AND a.state IN ('OPEN', 'GRANTED', 'SUSPENDED') ORDER BY a.revision
"""
SELECT_REVIEW_DUE = """
SELECT r.approval FROM review_due r WHERE r.model = $1 AND r.to_revision = 9223372036854775807
ORDER BY r.from_revision LIMIT 1
"""
SELECT_DUE = """
SELECT t.approval, t.what FROM timer t
WHERE t.to_revision = 9223372036854775807 AND t.due_time <= $1 ORDER BY t.due_time LIMIT $2
"""

# An open approval waits for each person who may approve somewhere at its target, is not its
# submitter and has not signed it; whether a seat is left for the role, the rules tell.
_WAITING_FOR = """
SELECT 1 FROM role w WHERE a.state = 'OPEN' AND w.to_revision = 9223372036854775807
AND w.role LIKE 'approver:%' AND w.principal <> a.submitter
AND (w.scope = '*' OR w.scope = a.target OR starts_with(a.target, w.scope || '/'))
AND NOT EXISTS (SELECT FROM signature s WHERE s.approval = a.name AND s.signer = w.principal)
"""
# A break-glass grant waits for the review of each approver at its target with no part in it.
_REVIEW_WAITING_FOR = """
SELECT 1 FROM review_due d JOIN role w ON w.to_revision = 9223372036854775807
WHERE d.approval = a.name AND d.to_revision = 9223372036854775807
AND w.role LIKE 'approver:%' AND w.principal <> a.submitter
AND (w.scope = '*' OR w.scope = a.target OR starts_with(a.target, w.scope || '/'))
AND NOT EXISTS (SELECT FROM signature s WHERE s.approval = a.name AND s.signer = w.principal)
"""
_STATES = (
    "OPEN",
    "GRANTED",
    "REJECTED",
    "REVOKED",
    "WITHDRAWN",
    "EXPIRED",
    "SUSPENDED",
    "VOIDED",
)
FILTERABLE: Fields = {
    "state": Column("a.state", Kind.CHOICE, {each: each for each in _STATES}),
    "version": Column("a.version", Kind.RESOURCE),
    "target": Column("a.target", Kind.RESOURCE),
    "submitter": Column("a.submitter", Kind.RESOURCE),
    "create_time": Column("a.create_time", Kind.TIME),
    "waiting_for": Entries(_WAITING_FOR, key="w.principal"),
    "review_waiting_for": Entries(_REVIEW_WAITING_FOR, key="w.principal"),
}
FILTERABLE_ROLES: Fields = {
    "role": Column("r.role", Kind.TEXT),
    "scope": Column("r.scope", Kind.TEXT),
    "principal": Column("r.principal", Kind.RESOURCE),
}


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page, and the token of the next, empty on the last."""

    found: Sequence[_T]
    next_page_token: str


async def events(at: Snapshot, subjects: Sequence[str]) -> Mapping[str, list[Stored]]:
    """Return the events on each subject up to the snapshot's revision, oldest first."""
    found: dict[str, list[Stored]] = {subject: [] for subject in subjects}
    for row in await at.db.fetch(SELECT_EVENTS, list(found), at.revision):
        found[row["nats_subject"]].append(
            Stored(
                row["nats_subject"], row["type"], row["body"], row["revision"], row["stream_time"]
            )
        )
    return found


async def pasts(
    at: Snapshot, subjects: Sequence[str], types: Sequence[str]
) -> Mapping[str, list[tuple[Stored, bool]]]:
    """Return the events of these types on each subject, oldest first, and whether each holds.

    That is told of requests and signatures: of those that were verified.
    """
    found: dict[str, list[tuple[Stored, bool]]] = {subject: [] for subject in subjects}
    for row in await at.db.fetch(SELECT_PASTS, list(found), list(types), at.revision):
        subject, kind, body, revision, time, holds = row.values()
        found[subject].append((Stored(subject, kind, body, revision, time), holds))
    return found


async def principals(db: Connection, request: api.ListPrincipalsRequest) -> Page[str]:
    """Return one page of the names of principals, oldest first."""
    page = await paging.fetch(db, SELECT_PRINCIPALS, [], request, _by("p.revision", "create"))
    return Page([row["name"] for row in page.rows], page.next_page_token)


async def roles(at: Snapshot, request: api.ListRolesRequest) -> Page[Role]:
    """Return one page of the roles in force at the moment asked about."""
    page = await paging.fetch(
        at.db,
        SELECT_ROLES,
        [request.parent, at.revision, _asked_about(request)],
        request,
        _by("r.given_at", "create"),
        FILTERABLE_ROLES,
    )
    return Page([_role(row) for row in page.rows], page.next_page_token)


def _asked_about(request: api.ListRolesRequest) -> datetime | None:
    """Return the time asked about, now by default; None for that of a revision."""
    point = request.as_of.WhichOneof("point")
    if point == "revision":
        return None
    return request.as_of.time.ToDatetime(tzinfo=UTC) if point == "time" else datetime.now(UTC)


async def approvers(db: Connection, most: int) -> list[str]:
    """Return principals who have an approver role somewhere."""
    return [row["principal"] for row in await db.fetch(SELECT_APPROVERS, most)]


async def proposals(db: Connection, request: api.ListProposalsRequest) -> Page[api.Proposal]:
    """Return one page of what waits for an endorsement, oldest first."""
    orders = _by("p.proposed_at", "create")
    page = await paging.fetch(db, SELECT_PROPOSALS, [request.parent], request, orders)
    return Page([_proposal(row) for row in page.rows], page.next_page_token)


async def policies(db: Connection, request: api.ListPoliciesRequest) -> Page[str]:
    """Return one page of the names of a namespace's policies, by name."""
    key = paging.Key("p.policy")
    orders = paging.Orders({"name": key}, default="name", tie=key)
    page = await paging.fetch(db, SELECT_POLICIES, [request.parent], request, orders)
    return Page([row["policy"] for row in page.rows], page.next_page_token)


async def approvals(db: Connection, request: api.ListApprovalsRequest) -> Page[str]:
    """Return one page of the names of a namespace's approvals, newest first."""
    orders = _by("a.revision", "create", "create desc")
    page = await paging.fetch(db, SELECT_APPROVALS, [request.parent], request, orders, FILTERABLE)
    return Page([row["name"] for row in page.rows], page.next_page_token)


async def decided(db: Connection, namespace: str, after: int, most: int) -> Sequence[Record]:
    """Return name, nats_subject and revision of approvals that are not open, oldest first."""
    return await db.fetch(SELECT_DECIDED, namespace, after, most)


async def granted(db: Connection, version: str, target: str) -> Sequence[str]:
    """Return the approvals that seem to let `version` into `target`, newest first: a hint."""
    return [row["name"] for row in await db.fetch(SELECT_GRANTED, version, target)]


async def of_version(db: Connection, version: str) -> Sequence[str]:
    """Return the approvals of a version that have not ended, oldest first."""
    return [row["name"] for row in await db.fetch(SELECT_OF_VERSION, version)]


async def review_due(db: Connection, model: str) -> str:
    """Return the oldest break-glass approval of a model that waits for review, empty for none."""
    found: str | None = await db.fetchval(SELECT_REVIEW_DUE, model)
    return found or ""


async def due(db: Connection, now: datetime, most: int) -> Sequence[tuple[str, str]]:
    """Return approvals about which something is to be done, and what: `end` or `recertify`."""
    return [(row["approval"], row["what"]) for row in await db.fetch(SELECT_DUE, now, most)]


def _by(column: str, name: str, default: str = "") -> paging.Orders:
    """Return the order of revisions, which is the order of things."""
    key = paging.Key(column, Kind.INTEGER)
    return paging.Orders({name: key}, default=default or name, tie=key)


def _role(row: Record) -> Role:
    is_over = row["to_revision"] != OPEN
    role = Role(
        name=row["name"],
        etag=f'"{row["given_at"]}"',
        create_time=_stamp(row["create_time"]),
        role=row["role"],
        scope=row["scope"],
        standing=Standing.STANDING_ENDED if is_over else Standing.STANDING_ACTIVE,
        giver=row["giver"],
        endorser=row["endorser"],
        delegator=row["delegator"],
    )
    if row["expire_time"] is not None:
        role.expire_time.CopyFrom(_stamp(row["expire_time"]))
    return role


def _proposal(row: Record) -> api.Proposal:
    return api.Proposal(
        name=row["name"],
        create_time=_stamp(row["create_time"]),
        proposer=row["proposer"],
        description=row["description"],
    )


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
