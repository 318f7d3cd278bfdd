"""The table that is printed, and the JSON that is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.harness import Ratio


def show(console: Console, found: Mapping[str, Sequence[Ratio]], about: Mapping[str, str]) -> None:
    """Print every claim of every case."""
    table = Table(title="Assay against its limits and its peers", show_lines=False)
    table.add_column("what", overflow="fold")
    for column in ("ours", "against", "ratio", "bar"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("", no_wrap=True)
    for case, ratios in found.items():
        table.add_section()
        table.add_row(f"[bold]{case}[/bold]")
        for ratio in ratios:
            table.add_row(*_cells(ratio))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))


def write(path: Path, found: Mapping[str, Sequence[Ratio]], about: Mapping[str, str]) -> None:
    """Write every claim of every case as JSON."""
    cases = {
        case: [
            asdict(ratio) | {"ratio": ratio.value, "bar": ratio.bar, "is_met": ratio.is_met}
            for ratio in ratios
        ]
        for case, ratios in found.items()
    }
    path.write_text(json.dumps({"machine": dict(about), "cases": cases}, indent=2) + "\n")


def _cells(ratio: Ratio) -> tuple[str, ...]:
    against = f"{_figure(ratio.limit)} {ratio.limit_name}" if ratio.limit else ratio.note
    if not ratio.limit:
        return (ratio.what, f"{_figure(ratio.ours)} {ratio.unit}", against, "", "", "")
    verdict = ("ok" if ratio.is_met else "falls short") if ratio.bar else ""
    ours = f"{_figure(ratio.ours)} {ratio.unit}"
    return (ratio.what, ours, against, f"{ratio.value:.2f}", ratio.bar, verdict)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
