"""What the read model answers: principals, policies, approvals; and where a grant may be found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from asyncpg import Record
from google.protobuf.timestamp_pb2 import Timestamp

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import (
    Approval,
    ApprovalState,
    Key,
    Meaning,
    Policy,
    PolicyRef,
    PolicySpec,
    Principal,
    Signature,
)
from assay.names import PolicyName
from assay.type.v1.actor_pb2 import ActorKind
from assay_events.decider import NotFound
from assay_serve import paging
from assay_serve.filtering import Column, Entries, Fields, Kind
from assay_serve.postgres import Connection

_T = TypeVar("_T")

SELECT_PRINCIPAL = "SELECT p.* FROM principal p WHERE p.name = $1"
SELECT_PRINCIPALS = "SELECT p.* FROM principal p WHERE true"
SELECT_KEYS = """
SELECT k.name, k.principal, k.public_key, k.create_time, k.revoke_time
FROM signing_key k WHERE k.principal = ANY ($1::text[]) ORDER BY k.revision
"""
SELECT_POLICY = "SELECT p.* FROM policy p WHERE p.namespace = $1 AND p.policy = $2"
SELECT_POLICIES = "SELECT p.* FROM policy p WHERE p.namespace = $1"
SELECT_APPROVAL = "SELECT a.* FROM approval a WHERE a.name = $1"
SELECT_APPROVALS = "SELECT a.* FROM approval a WHERE a.namespace = $1"
SELECT_ACTS = """
SELECT s.* FROM act s JOIN unnest($1::text[], $2::bigint[]) AS a(name, close_revision)
    ON s.approval = a.name AND s.revision <= coalesce(a.close_revision, s.revision)
WHERE s.approval = ANY ($1::text[]) ORDER BY s.revision
"""
SELECT_GRANTED = """
SELECT a.name FROM approval a
WHERE a.version = $1 AND a.target = $2 AND a.state = 'GRANTED' ORDER BY a.revision DESC
"""

# An open approval waits for each known person who is not its submitter and has not signed it.
_WAITING_FOR = """
SELECT 1 FROM principal w WHERE a.state = 'OPEN' AND w.kind = 'ACTOR_KIND_HUMAN'
AND w.name <> a.submitter
AND NOT EXISTS (SELECT FROM act s WHERE s.approval = a.name AND s.signer = w.name)
"""
FILTERABLE: Fields = {
    "state": Column(
        "a.state",
        Kind.CHOICE,
        {each: each for each in ("OPEN", "GRANTED", "REJECTED", "REVOKED")},
    ),
    "version": Column("a.version", Kind.RESOURCE),
    "target": Column("a.target", Kind.RESOURCE),
    "submitter": Column("a.submitter", Kind.RESOURCE),
    "create_time": Column("a.create_time", Kind.TIME),
    "waiting_for": Entries(_WAITING_FOR, key="w.name"),
}


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page of resources, and the token of the next, empty on the last."""

    resources: Sequence[_T]
    next_page_token: str


async def get_principal(db: Connection, name: str) -> Principal:
    """Return a principal with its keys."""
    found = await _principals(db, await db.fetch(SELECT_PRINCIPAL, name))
    return _one(found, name)


async def list_principals(db: Connection, request: api.ListPrincipalsRequest) -> Page[Principal]:
    """Return one page of the principals, oldest first."""
    page = await paging.fetch(db, SELECT_PRINCIPALS, [], request, _by("p", "create"))
    return Page(await _principals(db, page.rows), page.next_page_token)


async def get_policy(db: Connection, name: str) -> Policy:
    """Return a policy at its newest version."""
    namespace = str(PolicyName.parse(name).parent)
    return _one([_policy(row) for row in await db.fetch(SELECT_POLICY, namespace, name)], name)


async def list_policies(db: Connection, request: api.ListPoliciesRequest) -> Page[Policy]:
    """Return one page of the policies of a namespace, by name."""
    key = paging.Key("p.policy")
    orders = paging.Orders({"name": key}, default="name", tie=key)
    page = await paging.fetch(db, SELECT_POLICIES, [request.parent], request, orders)
    return Page([_policy(row) for row in page.rows], page.next_page_token)


async def get_approval(db: Connection, name: str) -> Approval:
    """Return an approval with the signatures that count."""
    return _one(await _approvals(db, await db.fetch(SELECT_APPROVAL, name)), name)


async def list_approvals(db: Connection, request: api.ListApprovalsRequest) -> Page[Approval]:
    """Return one page of the approvals of a namespace, newest first."""
    orders = _by("a", "create", "create desc")
    page = await paging.fetch(db, SELECT_APPROVALS, [request.parent], request, orders, FILTERABLE)
    return Page(await _approvals(db, page.rows), page.next_page_token)


async def granted(db: Connection, version: str, target: str) -> Sequence[str]:
    """Return the approvals that seem to let `version` into `target`, newest first: a hint."""
    return [row["name"] for row in await db.fetch(SELECT_GRANTED, version, target)]


def _by(table: str, name: str, default: str = "") -> paging.Orders:
    """Return the order of revisions, which is the order of things."""
    key = paging.Key(f"{table}.revision", Kind.INTEGER)
    return paging.Orders({name: key}, default=default or name, tie=key)


def _one(found: Sequence[_T], name: str) -> _T:
    if not found:
        raise NotFound(name)
    return found[0]


async def _principals(db: Connection, rows: Sequence[Record]) -> list[Principal]:
    keys: dict[str, list[Key]] = {row["name"]: [] for row in rows}
    for row in await db.fetch(SELECT_KEYS, list(keys)):
        keys[row["principal"]].append(
            Key(
                name=row["name"],
                public_key=row["public_key"],
                create_time=_stamp(row["create_time"]),
                revoke_time=_stamp(row["revoke_time"]),
            )
        )
    return [
        Principal(
            name=row["name"],
            etag=f'"{row["revision"]}"',
            create_time=_stamp(row["create_time"]),
            kind=ActorKind.Value(row["kind"]),
            printed_name=row["printed_name"],
            login=row["login"],
            keys=keys[row["name"]],
        )
        for row in rows
    ]


def _policy(row: Record) -> Policy:
    return Policy(
        name=row["policy"],
        etag=f'"{row["revision"]}"',
        create_time=_stamp(row["create_time"]),
        number=row["number"],
        spec=PolicySpec(
            models=row["models"],
            stages=row["stages"],
            aliases=row["aliases"],
            quorum=row["quorum"],
            description=row["description"],
        ),
        digest=row["digest"],
    )


async def _approvals(db: Connection, rows: Sequence[Record]) -> list[Approval]:
    acts: dict[str, list[Record]] = {row["name"]: [] for row in rows}
    closed = [row["close_revision"] for row in rows]
    for act in await db.fetch(SELECT_ACTS, list(acts), closed):
        acts[act["approval"]].append(act)
    return [_approval(row, acts[row["name"]]) for row in rows]


def _approval(row: Record, acts: Sequence[Record]) -> Approval:
    last_act = acts[-1]["time"] if acts else row["create_time"]
    return Approval(
        name=row["name"],
        etag=f'"{row["head_revision"]}"',
        create_time=_stamp(row["create_time"]),
        update_time=_stamp(row["revoke_time"] or row["grant_time"] or last_act),
        state=ApprovalState.Value(f"APPROVAL_STATE_{row['state']}"),
        version=row["version"],
        target=row["target"],
        manifest_digest=row["manifest_digest"],
        policies=[
            PolicyRef(name=name, digest=digest)
            for name, digest in zip(row["policy_names"], row["policy_digests"], strict=True)
        ],
        quorum=row["quorum"],
        submitter=row["submitter"],
        signatures=[_signature(act) for act in acts],
        nonce=row["nonce"],
        reason=row["reason"],
        grant_time=_stamp(row["grant_time"]),
        revoke_time=_stamp(row["revoke_time"]),
    )


def _signature(act: Record) -> Signature:
    return Signature(
        signer=act["signer"],
        printed_name=act["printed_name"],
        meaning=Meaning.Value(f"MEANING_{act['meaning'].upper()}"),
        sign_time=_stamp(act["sign_time"]),
        key=act["key"],
        public_key=act["public_key"],
        record=act["record"],
        signature=act["signature"],
        revision=act["revision"],
        reason=act["reason"],
    )


def _stamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
