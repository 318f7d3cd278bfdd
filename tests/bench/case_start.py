"""How soon the whole stack works, and what it holds in memory, beside `mlflow server`."""

import itertools
from statistics import median

from assay_serve.embedded import data_folder, record
from tests.bench import mlflow, stack
from tests.bench.harness import Bench, Measure, Ratio
from tests.bench.machine import memory_mib


async def run(bench: Bench) -> list[Ratio]:
    """Start each several times, on a new folder each time, and weigh it when it is up."""
    weights: dict[str, list[float]] = {"Assay": [], "MLflow": []}
    number = itertools.count()

    async def start_ours() -> float:
        with stack.running(bench.scratch(f"start-{next(number)}")) as running:
            entries = record.read(data_folder.find(running.data))
            weights["Assay"].append(memory_mib(entry.pid for entry in entries))
            return running.start_seconds

    async def start_mlflow() -> float:
        assert bench.mlflow is not None
        with mlflow.serving(bench.mlflow, bench.scratch(f"start-{next(number)}")) as server:
            weights["MLflow"].append(memory_mib([server.pid]))
            return server.start_seconds

    sides: dict[str, Measure] = {"Assay": start_ours}
    if bench.mlflow is not None:
        sides["MLflow"] = start_mlflow
    seconds = await bench.interleave(sides)
    memory = {name: median(values) for name, values in weights.items() if values}
    return [
        _beside("first start of the whole stack, all services healthy", "s", seconds),
        _beside("memory of the whole stack just started (PSS)", "MiB", memory),
    ]


def _beside(what: str, unit: str, found: dict[str, float]) -> Ratio:
    name = f"{unit}, MLflow" if "MLflow" in found else ""
    return Ratio(what, found["Assay"], unit, found.get("MLflow", 0.0), name)
