"""Runs the tests that name a requirement, and prints a line for each requirement of the list.

A line has four fields with tabs between them: id, text, tests, and `passed`, `failed` or `no test`.
The same is written as a page, build/traceability.html. What pytest says meanwhile goes to stderr.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from traceability_matrix import Ended, Row, matrix, read, unknown
from traceability_page import page

TOOLS = Path(__file__).resolve().parent
LIST = Path("docs/requirements.md")
PAGE = Path("build/traceability.html")
RAN = {0, 1, 5}  # pytest's status: all passed, some did not, there was none


def main() -> int:
    """Return 0 where no test of a requirement failed, 1 where one did, 2 where they did not run."""
    root = _root()
    requirements = read((root / LIST).read_text(encoding="utf-8"))
    begin = time.monotonic()
    status, ended = run(root)
    wrong = unknown(requirements, ended)
    if wrong or status not in RAN:
        print(*wrong, f"There is no matrix: pytest ended with status {status}.", file=sys.stderr)
        return 2
    rows = matrix(requirements, ended)
    print("\n".join(row.line() for row in rows))
    (root / PAGE).parent.mkdir(exist_ok=True)
    (root / PAGE).write_text(page(rows, root), encoding="utf-8")
    print(_summary(rows, len(ended), time.monotonic() - begin), file=sys.stderr)
    return int(status == 1 or any(row.state == "failed" for row in rows))


def run(root: Path) -> tuple[int, list[Ended]]:
    """Run the tests that name a requirement; return pytest's status and how each test ended."""
    # PYTEST_ADDOPTS could leave tests out.
    environ = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    inherited = [environ["PYTHONPATH"]] if environ.get("PYTHONPATH") else []
    environ["PYTHONPATH"] = os.pathsep.join([str(TOOLS), *inherited])
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        options = ["-m", "requirement", "-q", "-p", "no:cacheprovider"]
        plugin = ["-p", "requirement_outcomes", f"--outcomes={outcomes}"]
        command = [sys.executable, "-m", "pytest", *options, *plugin]
        done = subprocess.run(command, cwd=root, env=environ, stdout=sys.stderr, check=False)
        tests = json.loads(outcomes.read_text()) if outcomes.exists() else []
    return done.returncode, [Ended(*test) for test in tests]


def _summary(rows: Sequence[Row], cases: int, seconds: float) -> str:
    states = [row.state for row in rows]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    return f"{len(rows)} requirements: {counts}. {cases} tests, {seconds:.0f} s. See {PAGE}."


def _root() -> Path:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=TOOLS.parent, help="the tree to look at")
    root: Path = parser.parse_args().root
    return root.resolve()


if __name__ == "__main__":
    sys.exit(main())
