"""A change of the protos that breaks a client is refused; one that adds is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.house import ROOT

EVENTS = "protos/assay/metadata/v1/events.proto"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a repository of one commit that holds the protos as they are here."""
    for name in ("protos", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "base"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    run(tmp_path, "tools/proto_deps")
    return tmp_path


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools of the copied repository with this environment's programs."""
    return subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "VENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def edit(root: Path, old: str, new: str) -> None:
    """Replace the first `old` in the events of metadata."""
    path = root / EVENTS
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_renamed_field_is_refused(clone: Path) -> None:
    edit(clone, "string name = 1;", "string title = 1;")
    checked = run(clone, "tools/breaking", "HEAD")
    assert checked.returncode != 0
    assert "title" in checked.stdout + checked.stderr


def test_a_new_field_is_fine(clone: Path) -> None:
    edit(clone, "string name = 1;", "string name = 1;\n  // New. Example: x.\n  string more = 999;")
    checked = run(clone, "tools/breaking", "HEAD")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "compatible with HEAD" in checked.stdout


def test_a_field_without_a_comment_is_refused(clone: Path) -> None:
    edit(clone, "string name = 1;", "string name = 1;\n  string more = 999;")
    linted = run(clone, str(Path(sys.prefix) / "bin/buf"), "lint")
    assert linted.returncode != 0
    assert '"more" should have a non-empty comment' in linted.stdout + linted.stderr


def test_the_first_commit_has_nothing_to_compare_with(clone: Path) -> None:
    checked = run(clone, "tools/breaking")
    assert checked.returncode == 0
    assert "nothing to compare with" in checked.stdout
