"""Lists on terminals: as wide as those are, and drawn again when something happens."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Assay
from tests.e2e.terminal import Terminal

CLEARED = "\x1b[2J"
_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def lines_of(seen: str) -> list[str]:
    """Return what a terminal shows since it was cleared last."""
    return _CODES.sub("", seen.rpartition(CLEARED)[2]).splitlines()


@pytest.fixture(scope="module")
def measured(assay: Assay, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("measured") / "weights.bin"
    file.write_bytes(b"weights")
    for accuracy in ("0.7", "0.8", "0.75", "0.9"):
        words = ("measured", str(file), "--metric", f"accuracy={accuracy}", "--param", "depth=6")
        assay.run("register", *words, "--tag", "team=risk")
    assay.run("alias", "set", "measured", "champion", "4")
    return "measured"


@pytest.mark.parametrize("columns", [100, 24])
@pytest.mark.parametrize("words", ["versions measured", "models", "history measured"])
@pytest.mark.usefixtures("measured")
def test_a_table_is_never_wider_than_its_terminal(assay: Assay, words: str, columns: int) -> None:
    with Terminal(assay, *words.split(), columns=columns) as terminal:
        assert terminal.ended() == 0
        assert terminal.seen
        assert max(map(len, lines_of(terminal.seen))) <= max(columns, len(_notice(terminal.seen)))


def _notice(seen: str) -> str:
    """Return the line that names the columns left out: it may be longer than a row."""
    return next((line for line in lines_of(seen) if line.startswith("(too narrow")), "")


def test_a_narrow_table_leaves_out_columns_and_says_which(assay: Assay, measured: str) -> None:
    with Terminal(assay, "versions", measured, columns=40) as terminal:
        assert terminal.ended() == 0
        header, *rows = lines_of(terminal.seen)
        assert header.split()[:2] == ["N", "ALIASES"]
        assert len([row for row in rows if row[0].isdigit()]) == 4
        assert "(too narrow for" in rows[-1]
        assert "REGISTERED" in rows[-1]
    assert "REGISTERED" in assay.run("versions", measured).stdout.splitlines()[0]


def test_a_metric_is_drawn_over_the_versions(assay: Assay, measured: str) -> None:
    shown = assay.run("model", "versions", measured, "--metric", "accuracy").stdout
    assert "accuracy  ▁▅▃█  0.7 to 0.9, lowest 0.7, highest 0.9" in shown.splitlines()
    none = assay.run("versions", measured, "--metric", "f1[bold]").stdout.splitlines()
    assert "f1[bold]" in none[0].split()
    assert none[-1] == "f1[bold]: none of these versions has it."


def test_a_watched_list_is_drawn_again_until_ctrl_c(
    assay: Assay, measured: str, model_folder: Path
) -> None:
    del model_folder
    with Terminal(assay, "versions", measured, "--watch", columns=120) as terminal:
        terminal.until(lambda seen: "registered" in seen.lower() and "champion" in seen)
        assay.run("alias", "set", measured, "challenger", "1")
        terminal.until(lambda seen: any("challenger" in line for line in lines_of(seen)))
        assay.run("stage", "set", measured, "staging", "2")
        terminal.until(lambda seen: any("staging" in line for line in lines_of(seen)))
        assert terminal.seen.count(CLEARED) == 3
        assert terminal.interrupt() == 0
        assert "Traceback" not in terminal.seen
        assert "Error" not in terminal.seen


def test_a_watched_stage_shows_each_holder_also_by_a_later_name(
    assay: Assay, tmp_path: Path
) -> None:
    (tmp_path / "w").write_text("w")
    for _ in range(2):
        assay.run("register", "renamed-first", str(tmp_path / "w"))
    assay.run("model", "rename", "renamed-first", "renamed-later")
    words = ("stage", "show", "renamed-later", "live", "--watch", "--json")
    line = [sys.executable, "-m", "assay.cli", *words, "--data", str(assay.data)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as seen:
        assert seen.stdout is not None
        assert seen.stderr is not None
        held = []
        for number in ("", "1", "2"):
            if number:
                assay.run("stage", "set", "renamed-later", "live", number)
            held.append(json.loads(seen.stdout.readline())["stage"]["version"].rpartition("/")[2])
        assert held == ["", "1", "2"]
        seen.send_signal(signal.SIGINT)
        assert seen.wait(timeout=60) == 0
        assert seen.stderr.read() == ""


def test_a_moment_cannot_be_watched(assay: Assay, measured: str) -> None:
    refusal = assay.refused("versions", measured, "--watch", "--as-of", "5")
    assert refusal["message"] == "Give either --watch or --as-of."


def test_a_list_as_tall_as_the_terminal_is_cut_while_it_is_watched(
    assay: Assay, measured: str
) -> None:
    with Terminal(assay, "versions", measured, "--watch", columns=120, lines=6) as terminal:
        terminal.until(lambda seen: "… and 2 more" in seen)
        assert terminal.interrupt() == 0
