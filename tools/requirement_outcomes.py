"""A plugin of pytest that writes down which requirements each test names, and how it ended.

`traceability.py` loads it. A test that is skipped, is stopped before it runs, or fails in what is
set up or cleared away for it has not passed.
"""

import json
from pathlib import Path

import pytest


class Outcomes:
    """What is known of each test that names a requirement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.named: dict[str, list[str]] = {}
        self.outcomes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what is to run."""
        for item in session.items:
            named = {str(one) for mark in item.iter_markers("requirement") for one in mark.args}
            self.named[item.nodeid] = sorted(named)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first phase that did not pass, or else that the test itself did."""
        before = self.outcomes.get(report.nodeid, "passed")
        if report.skipped:
            self.outcomes[report.nodeid] = "skipped"
        elif report.failed and before == "passed":
            self.outcomes[report.nodeid] = f"failed ({report.when})"
        elif report.when == "call":
            self.outcomes[report.nodeid] = before

    def pytest_sessionfinish(self) -> None:
        """Write it, also of a session that was stopped."""
        tests = [
            (test, named, self.outcomes.get(test, "not run")) for test, named in self.named.items()
        ]
        self.path.write_text(json.dumps(tests, indent=1))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Ask where to write."""
    parser.addoption("--outcomes", type=Path, required=True, help="file to write outcomes to")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen."""
    config.pluginmanager.register(Outcomes(config.getoption("--outcomes")))
