"""Walks over the graph in Postgres: the same as a walk in memory, and bounded."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay_events import schemas
from assay_lineage.projection import LINEAGE
from assay_lineage.queries import graph
from assay_lineage.queries.graph import Walk, walk_downstream, walk_upstream
from assay_serve.embedded import postgres
from assay_serve.postgres import Connection, Pool, open_pool

Edges = list[tuple[int, str, str]]
SCHEMA = "lineage_walk"

names = st.integers(0, 9).map("n{}".format)
graphs = st.lists(st.tuples(names, names), max_size=40).map(
    lambda pairs: [(at, *pair) for at, pair in enumerate(pairs, 1)]
)


@pytest.fixture
def run(database: postgres.Database) -> Iterator[Callable[..., Walk]]:
    """What loads edges and walks over them."""
    url = database.url("lineage")
    with asyncio.Runner() as runner, tables(runner, url) as pool:
        yield lambda *arguments, **more: runner.run(walked(pool, *arguments, **more))


@contextmanager
def tables(runner: asyncio.Runner, url: str) -> Iterator[Pool]:
    async def prepare() -> Pool:
        db = await schemas.connect(url, SCHEMA)
        await schemas.create(db, LINEAGE, SCHEMA)
        await schemas.create_indexes(db, LINEAGE)
        await db.close()
        return await open_pool(url, SCHEMA)

    pool = runner.run(prepare())
    yield pool
    pool.terminate()


async def walked(
    pool: Pool, edges: Edges, name: str, depth: int, revision: int, *, down: bool = False
) -> Walk:
    async with pool.acquire() as db:
        await load(db, edges)
        walk = walk_downstream if down else walk_upstream
        return await walk(db, name, depth, revision)


async def load(db: Connection, edges: Edges) -> None:
    await db.execute("DELETE FROM edge")
    columns = ("revision", "from_node", "to_node")
    await db.copy_records_to_table("edge", records=set(edges), columns=columns)


def in_memory(edges: Iterable[tuple[str, str]], name: str, depth: int) -> dict[str, int]:
    """Return the depth of each node that is reached backwards over `edges`, breadth first."""
    reached, level = {name: 0}, {name}
    for steps in range(1, depth + 1):
        level = {origin for origin, to in edges if to in level} - reached.keys()
        reached |= dict.fromkeys(level, steps)
    return reached


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=graphs, name=names, depth=st.integers(1, 12), revision=st.integers(0, 40))
def test_a_walk_in_postgres_is_a_walk_in_memory(
    run: Callable[..., Walk], edges: Edges, name: str, depth: int, revision: int
) -> None:
    pairs = [(origin, to) for at, origin, to in edges if at <= revision]
    up = run(edges, name, depth, revision)
    down = run(edges, name, depth, revision, down=True)
    assert up.depths == in_memory(pairs, name, depth)
    assert down.depths == in_memory([(to, origin) for origin, to in pairs], name, depth)
    for walk in (up, down):
        assert list(walk.depths.values()) == sorted(walk.depths.values())
        between = {pair for pair in pairs if set(pair) <= walk.depths.keys()}
        first = {
            (origin, to): min(at for at, *pair in edges if tuple(pair) == (origin, to))
            for origin, to in between
        }
        assert {(origin, to): at for origin, to, at in walk.edges} == first
        assert len(walk.edges) == len(first)
        assert not walk.is_truncated


def test_a_circle_ends(run: Callable[..., Walk]) -> None:
    circle = [(1, "a", "b"), (2, "b", "c"), (3, "c", "a"), (4, "a", "a")]
    walk = run(circle, "a", 100, 9)
    assert walk.depths == {"a": 0, "c": 1, "b": 2}
    assert len(walk.edges) == 4


def test_a_long_line_is_walked_as_deep_as_asked(run: Callable[..., Walk]) -> None:
    line = [(at, f"n{at}", f"n{at - 1}") for at in range(1, 151)]
    assert len(run(line, "n0", 100, 999).depths) == 101
    assert len(run(line, "n0", 10, 999).depths) == 11
    assert len(run(line, "n0", 100, 5).depths) == 6


def test_the_nearest_ten_thousand_nodes_are_told(run: Callable[..., Walk]) -> None:
    near = [(1, f"near{number}", "n0") for number in range(6_000)]
    far = [(2, f"far{number}", f"near{number}") for number in range(6_000)]
    walk = run(near + far, "n0", 10, 9)
    assert walk.is_truncated
    assert len(walk.depths) == graph.MOST_NODES
    assert sum(name.startswith("near") for name in walk.depths) == 6_000
    assert max(walk.depths.values()) == 2
    assert not run(near, "n0", 10, 9).is_truncated


def test_a_dense_graph_with_circles_does_not_take_for_ever(run: Callable[..., Walk]) -> None:
    count = 200
    dense = [(1, f"n{a}", f"n{b}") for a in range(count) for b in range(count) if a != b]
    walk = run(dense, "n0", 100, 9)  # walking each path would end at the test's time limit
    assert len(walk.depths) == count
    assert len(walk.edges) == count * (count - 1)
