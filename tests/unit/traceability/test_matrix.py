"""The traceability matrix of small suites: what `make traceability` prints and writes."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "traceability.py"
CONFIG = (
    "[pytest]\nmarkers =\n    requirement(*ids): what the test proves\naddopts = --strict-markers\n"
)
LIST = """# Requirements
| id | requirement | source |
|---|---|---|
| Z10 | Nothing shows it. | nobody |
| Z9 | It is <quick> & safe. | rule 1 |
| Z1 | One of two fails. | rule 2 |
| Z2 | One of two is skipped. | rule 2 |
| Z3 | What it needs is broken. | rule 2 |
| Z4 | Each case passes. | rule 2 |
| Z5 | One case fails. | rule 2 |
| Z6 | It passes, a part does not. | rule 2 |
| Z6.1 | The part without a test. | rule 2 |
| Z7 | Its parts pass. | rule 2 |
| Z7.1 | The only part. | rule 2 |
| Z8 | What it leaves is broken. | rule 2 |
| Z11 | It is known to fail. | rule 2 |
"""
SUITE = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("broken")

@pytest.fixture
def leaves_something():
    yield
    raise RuntimeError("left")

@pytest.mark.requirement("Z9", "Z6")
@pytest.mark.requirement("Z7.1")
def test_good(): pass

@pytest.mark.requirement("Z9", "Z1", "Z2")
def test_good_too(): pass

@pytest.mark.requirement("Z1")
def test_bad(): assert False

@pytest.mark.requirement("Z2")
def test_skipped(): pytest.skip("not here")

@pytest.mark.requirement("Z3")
def test_never_begun(broken): pass

@pytest.mark.requirement("Z8")
def test_badly_left(leaves_something): pass

@pytest.mark.requirement("Z11")
@pytest.mark.xfail
def test_known_to_fail(): assert False

@pytest.mark.requirement("Z4")
@pytest.mark.parametrize("text", ["a", "b,c", "d\\te[f]"])
def test_each(text): pass

@pytest.mark.requirement("Z5")
@pytest.mark.parametrize("number", [0, 1])
def test_some(number): assert number

def test_of_something_else(): assert False
"""
STATES = {
    "Z1": "failed",
    "Z2": "failed",
    "Z3": "failed",
    "Z4": "passed",
    "Z5": "failed",
    "Z6": "no test",
    "Z6.1": "no test",
    "Z7": "passed",
    "Z7.1": "passed",
    "Z8": "failed",
    "Z9": "passed",
    "Z10": "no test",
    "Z11": "failed",
}


@dataclass(frozen=True)
class Told:
    """What the tool said of a suite."""

    status: int
    rows: list[list[str]]
    errors: str
    page: str


def told(folder: Path, suite: str, environ: dict[str, str] | None = None) -> Told:
    """Run the tool over a suite of one file."""
    (folder / "docs").mkdir()
    (folder / "docs" / "requirements.md").write_text(LIST)
    (folder / "pytest.ini").write_text(CONFIG)
    (folder / "test_it.py").write_text(suite)
    command = [sys.executable, str(TOOL), "--root", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, env=environ
    )
    page = folder / "build" / "traceability.html"
    return Told(
        done.returncode,
        [line.split("\t") for line in done.stdout.splitlines()],
        done.stderr,
        page.read_text() if page.exists() else "",
    )


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told(tmp_path_factory.mktemp("suite"), SUITE)


@pytest.mark.requirement("V1")
def test_each_requirement_has_a_line_with_its_state_sorted_by_id(matrix: Told) -> None:
    assert {len(row) for row in matrix.rows} == {4}
    assert [(row[0], row[-1]) for row in matrix.rows] == list(STATES.items())


@pytest.mark.requirement("V1")
def test_a_line_names_the_text_and_each_test_once(matrix: Told) -> None:
    rows = {row[0]: row[1:] for row in matrix.rows}
    assert rows["Z9"] == [
        "It is <quick> & safe.",
        "test_it.py::test_good,test_it.py::test_good_too",
        "passed",
    ]
    assert rows["Z4"] == ["Each case passes.", "test_it.py::test_each", "passed"]
    assert rows["Z10"] == ["Nothing shows it.", "", "no test"]
    assert rows["Z6"][1] == "test_it.py::test_good"


@pytest.mark.requirement("V1")
def test_a_test_that_failed_fails_the_command_and_is_named(matrix: Told) -> None:
    assert matrix.status == 1
    assert "test_bad" in matrix.errors
    assert "test_of_something_else" not in matrix.errors
    assert "13 requirements: 6 failed, 3 no test, 4 passed." in matrix.errors


@pytest.mark.requirement("V1")
def test_the_page_says_the_same_and_what_ran(matrix: Told) -> None:
    assert "It is &lt;quick&gt; &amp; safe." in matrix.page
    assert "<quick>" not in matrix.page
    assert "test_it.py::test_some: 1 failed (call), 1 passed" in matrix.page
    assert "test_it.py::test_never_begun: failed (setup)" in matrix.page
    assert "test_it.py::test_badly_left: failed (teardown)" in matrix.page
    assert "test_it.py::test_skipped: skipped" in matrix.page
    assert f"pytest {pytest.__version__}" in matrix.page
    assert "not a git repository" in matrix.page
    places = [matrix.page.index(f"<td>{name}</td>") for name in STATES]
    assert places == sorted(places)
    assert "http" not in matrix.page
    assert "src=" not in matrix.page


GOOD = '@pytest.mark.requirement("Z9")\ndef test_good(): pass\n'


def test_what_has_no_test_does_not_fail_the_command(tmp_path: Path) -> None:
    good = told(tmp_path, f"import pytest\n{GOOD}")
    assert good.status == 0
    assert {row[-1] for row in good.rows} == {"passed", "no test"}


def test_without_any_test_nothing_has_passed(tmp_path: Path) -> None:
    empty = told(tmp_path, "")
    assert empty.status == 0
    assert {row[-1] for row in empty.rows} == {"no test"}


def test_an_unknown_id_is_an_error(tmp_path: Path) -> None:
    unknown = told(tmp_path, f"import pytest\n{GOOD.replace('Z9', 'Z99')}")
    assert unknown.status == 2
    assert unknown.rows == []
    assert "test_it.py::test_good names Z99, which is not on the list" in unknown.errors
    assert not unknown.page


def test_tests_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    broken = told(tmp_path, "import nothing_of_this_name\n")
    assert broken.status == 2
    assert broken.rows == []
    assert not broken.page


def test_tests_that_are_stopped_are_an_error(tmp_path: Path) -> None:
    stopped = told(
        tmp_path,
        f"import pytest\n{GOOD}def test_z(): pass\ntest_z.pytestmark = "
        '[pytest.mark.requirement("Z8")]\ndef test_stop(): pytest.exit("enough")\n'
        'test_stop.pytestmark = [pytest.mark.requirement("Z7.1")]\n',
    )
    assert stopped.status == 2
    assert stopped.rows == []


def test_no_option_of_the_environment_leaves_a_test_out(tmp_path: Path) -> None:
    suite = f'import pytest\n{GOOD}@pytest.mark.requirement("Z9")\ndef test_bad(): assert False\n'
    whole = told(tmp_path, suite, {"PYTEST_ADDOPTS": "-k good"})
    assert whole.status == 1
    assert {row[0]: row[-1] for row in whole.rows}["Z9"] == "failed"
