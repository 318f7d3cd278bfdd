"""`python -m tests.bench [--case NAME] [--peers] [--quick|--long] [--json FILE]`."""

import argparse
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from rich.console import Console

from tests.bench import machine, mlflow, report
from tests.bench.harness import Bench, Ratio

CASES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("case_*.py")))
_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 0 whatever the figures are: a slow machine is no fault."""
    chosen = _parser().parse_args(arguments)
    names = [name for name in CASES if not chosen.case or name[5:] in chosen.case]
    console, begun = Console(soft_wrap=not sys.stdout.isatty()), time.monotonic()
    about = machine.describe()
    build = _ROOT / "build"
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=build))
    try:
        peer = mlflow.install(build / "bench-venv", console.print) if chosen.peers else None
        if peer is None:
            console.print("MLflow is skipped; measure beside it with --peers.")
        found = {name[5:]: _run(name, folder / name, chosen, peer, console) for name in names}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    about["load after"] = " ".join(f"{load:.2f}" for load in os.getloadavg())
    report.show(console, found, about)
    console.print(f"{time.monotonic() - begun:.0f} s in all.")
    if chosen.json:
        report.write(chosen.json, found, about)
    return 0


def _run(
    name: str, folder: Path, chosen: argparse.Namespace, peer: Path | None, console: Console
) -> list[Ratio]:
    begun = time.monotonic()
    console.print(f"{name[5:]} …")
    bench = Bench(
        folder=folder,
        say=lambda text: console.print(text, highlight=False),
        seconds=0.3 if chosen.quick else 1.0,
        is_quick=chosen.quick,
        is_long=chosen.long,
        mlflow=peer,
    )
    ratios: list[Ratio] = uvloop.run(importlib.import_module(f"tests.bench.{name}").run(bench))
    console.print(f"  {time.monotonic() - begun:.0f} s")
    return ratios


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [name[5:] for name in CASES]
    parser.add_argument("--case", action="append", choices=names, help="measure this one only")
    parser.add_argument("--peers", action="store_true", help="measure `mlflow server` beside us")
    parser.add_argument("--quick", action="store_true", help="shorter and smaller, and less exact")
    parser.add_argument("--long", action="store_true", help="rebuild a million events, not 100,000")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
