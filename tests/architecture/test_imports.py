"""Each import contract is broken once on purpose, in a copy of the tree, and seen to fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.house import ROOT

BREAKS = {
    "a library imports one above it": (
        "house",
        {"libs/assay_trust/broken.py": "import assay_events\n"},
    ),
    "a service imports another": (
        "house",
        {"services/assay_audit/main.py": "import assay_lineage\n"},
    ),
    "a room imports one above it": (
        "rooms",
        {
            "services/assay_audit/queries.py": "import assay_audit.projection\n",
            "services/assay_audit/projection.py": "",
        },
    ),
    "a service has a room of its own": (
        "rooms",
        {"services/assay_lineage/helpers.py": ""},
    ),
    "a projection imports the rules": (
        "history",
        {
            "services/assay_metadata/projection.py": "import assay_metadata.domain\n",
            "services/assay_metadata/domain/__init__.py": "",
        },
    ),
    "a rule waits": (
        "pure-rules",
        {
            "services/assay_approval/domain/__init__.py": "",
            "services/assay_approval/domain/broken.py": "import asyncio\n",
        },
    ),
    "a rule reaches the network by a detour": (
        "pure-rules",
        {
            "services/assay_lineage/domain/__init__.py": "import assay_events.broken\n",
            "libs/assay_events/broken.py": "import nats\n",
        },
    ),
    "a server imports the command line": (
        "no-cli-in-servers",
        {"libs/assay_serve/broken.py": "import assay.cli\n"},
    ),
}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("libs", "services"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(root: Path, contract: str) -> tuple[int, str]:
    """Run one import contract on the packages below `root` and return its exit code and words."""
    path = os.pathsep.join(str(root / name) for name in ("libs", "services"))
    program = str(Path(sys.executable).with_name("lint-imports"))
    command = [program, "--no-cache", "--contract", contract]
    run = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_contract_is_seen(copied: Path, case: str) -> None:
    contract, files = BREAKS[case]
    whole, words = lint(copied, contract)
    assert whole == 0, words
    for name, text in files.items():
        target = copied / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a") as file:
            file.write(text)
    broken, words = lint(copied, contract)
    assert broken != 0
    assert "BROKEN" in words, words


def test_every_contract_is_broken_once() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {contract["id"] for contract in config["tool"]["importlinter"]["contracts"]}
    assert contracts == {contract for contract, _ in BREAKS.values()}
