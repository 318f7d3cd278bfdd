"""How long a command waits for an aggregate that is not in memory, against one direct get."""

import itertools

from assay_events.commands import Commands
from assay_events.jetstream import JetStream
from assay_metadata.domain.model import MODEL
from tests.bench import history, servers
from tests.bench.harness import Bench, Call, Measure, Ratio, p50_ms

_SMALL, _MODELS = 3, 500
_LONG = (1_000, 100_000)


async def run(bench: Bench) -> list[Ratio]:
    """Load small aggregates in turns with direct gets, then long ones for themselves."""
    async with servers.founded(bench.scratch("load")) as connection:
        small = [f"namespaces/default/models/small-{number}" for number in range(_MODELS)]
        for name in small:
            await history.write_one_model(connection, name, _SMALL)
        subjects = itertools.cycle([MODEL.subject(name) for name in small])

        async def direct_get() -> None:
            await connection.direct_get(f"ASSAY.{next(subjects)}")

        load = _loading(JetStream(connection), small)
        found = await bench.interleave(
            {
                "direct get ms": lambda: p50_ms(direct_get, bench.seconds / 2),
                "load ms": lambda: p50_ms(load, bench.seconds / 2),
            }
        )
        ratios = [
            Ratio(
                f"cold load of an aggregate of {_SMALL} events",
                found["load ms"],
                "ms",
                found["direct get ms"],
                "ms, one direct get",
                at_most=3,
            )
        ]
        for events in _LONG:
            name = f"namespaces/default/models/long-{events}"
            await history.write_one_model(connection, name, events)
            found = await bench.interleave({"ms": _once(_loading(JetStream(connection), [name]))})
            ratios.append(
                Ratio(f"cold load of an aggregate of {events:,} events", found["ms"], "ms")
            )
        return ratios


def _once(load: Call) -> Measure:
    """Return what tells the milliseconds of one load."""
    return lambda: p50_ms(load, 0)


def _loading(store: JetStream, names: list[str]) -> Call:
    """Return what loads the next of some aggregates into a memory that holds none."""
    turn = itertools.cycle(names)

    async def load() -> None:
        commands = Commands(store, context="metadata", deployment=history.DEPLOYMENT)
        folded = await commands.fold(MODEL, next(turn))
        assert folded.state.name

    return load
