"""What lies up and down the graph."""

from dataclasses import dataclass
from hashlib import sha256

from assay.lineage.v1.resources_pb2 import NodeKind
from assay.names import NamespaceName
from assay_serve.postgres import Connection

MOST_NODES = 10_000
MOST_EDGES = 50_000

_KINDS = {
    "versions": NodeKind.NODE_KIND_VERSION,
    "runs": NodeKind.NODE_KIND_RUN,
    "datasets": NodeKind.NODE_KIND_DATASET,
    "code": NodeKind.NODE_KIND_CODE,
    "artifacts": NodeKind.NODE_KIND_ARTIFACT,
}

# One level a query, not one recursive query: that one would go over every edge again for each depth
# at which its node is reached, a hundred times in a dense graph. This goes over no edge twice.
_UPSTREAM = """
SELECT DISTINCT from_node FROM edge
WHERE to_node = ANY($1::text[]) AND revision <= $2 AND NOT from_node = ANY($3::text[])
ORDER BY from_node LIMIT $4
"""
_DOWNSTREAM = """
SELECT DISTINCT to_node FROM edge
WHERE from_node = ANY($1::text[]) AND revision <= $2 AND NOT to_node = ANY($3::text[])
ORDER BY to_node LIMIT $4
"""
_EDGES = """
SELECT from_node, to_node, min(revision) AS revision FROM edge
WHERE from_node = ANY($1::text[]) AND to_node = ANY($1::text[]) AND revision <= $2
GROUP BY from_node, to_node ORDER BY revision, from_node, to_node LIMIT $3
"""
_DISPLAY_NAMES = """
SELECT name, display_name FROM node
WHERE name = ANY($1::text[]) AND from_revision <= $2 AND to_revision > $2
"""
_IS_KNOWN = """
SELECT EXISTS (SELECT 1 FROM node WHERE name = $1 AND from_revision <= $2)
    OR EXISTS (SELECT 1 FROM edge WHERE from_node = $1 AND revision <= $2)
    OR EXISTS (SELECT 1 FROM edge WHERE to_node = $1 AND revision <= $2)
"""


@dataclass(frozen=True, slots=True)
class Walk:
    """What was reached from a node: depths by node, nearest first, and the edges between them."""

    depths: dict[str, int]
    display_names: dict[str, str]
    edges: list[tuple[str, str, int]]
    is_truncated: bool


async def walk_upstream(db: Connection, name: str, depth: int, revision: int) -> Walk:
    """Return what `name` was made from, as the graph was at `revision`."""
    return await _walk(db, _UPSTREAM, name, depth, revision)


async def walk_downstream(db: Connection, name: str, depth: int, revision: int) -> Walk:
    """Return what was made from `name`, as the graph was at `revision`."""
    return await _walk(db, _DOWNSTREAM, name, depth, revision)


async def is_node(db: Connection, name: str, revision: int) -> bool:
    """Tell whether the graph had a node of that name at `revision`."""
    return bool(await db.fetchval(_IS_KNOWN, name, revision))


async def _walk(db: Connection, sql: str, name: str, depth: int, revision: int) -> Walk:
    depths, is_truncated = await _reach(db, sql, name, depth, revision)
    names = list(depths)
    edges = await db.fetch(_EDGES, names, revision, MOST_EDGES + 1)
    rows = await db.fetch(_DISPLAY_NAMES, names, revision)
    return Walk(
        depths=depths,
        display_names={row["name"]: row["display_name"] for row in rows},
        edges=[
            (edge["from_node"], edge["to_node"], edge["revision"]) for edge in edges[:MOST_EDGES]
        ],
        is_truncated=is_truncated or len(edges) > MOST_EDGES,
    )


async def _reach(
    db: Connection, sql: str, name: str, depth: int, revision: int
) -> tuple[dict[str, int], bool]:
    """Return the nodes reached with their depths, nearest first, and whether there are more."""
    depths, level = {name: 0}, [name]
    for steps in range(1, depth + 1):
        room = MOST_NODES - len(depths)
        found = await db.fetch(sql, level, revision, list(depths), room + 1)
        level = [node for (node,) in found[:room]]
        depths |= dict.fromkeys(level, steps)
        if len(found) > room:
            return depths, True
        if not level:
            break
    return depths, False


def code_node(namespace: NamespaceName, repository: str, commit: str) -> str:
    """Return the id that the graph gives a commit of a repository in a namespace."""
    digest = sha256(f"{repository}\n{commit}".encode()).hexdigest()
    return f"{namespace}/code/sha256-{digest}"


def kind_of(name: str) -> NodeKind.ValueType:
    """Return what a node is, as its name says."""
    pieces = name.split("/")
    return _KINDS.get(pieces[-2] if len(pieces) > 1 else "", NodeKind.NODE_KIND_UNSPECIFIED)
