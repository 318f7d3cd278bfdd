"""A folder that can't be used is refused in one sentence, and left as it is."""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay_serve import embedded
from assay_serve.embedded import binaries
from tests.integration.embedded.stack import HERE, Stack

NOBODY = 65534


def refusal(stack: Stack) -> str:
    """Return the one sentence with which `up` refuses."""
    done = stack.run("up")
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(".\n")
    return done.stderr.strip()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert refusal(Stack(file)) == f"{file} is a file; name a folder."
    assert refusal(Stack(file / "below")) == f"{file / 'below'} is a file; name a folder."


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    tmp_path.chmod(0o755)
    assert refusal(Stack(tmp_path)) == (
        f"{tmp_path} holds other things, such as 'thesis.tex'; name an empty or a new folder."
    )
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(tmp_path, NOBODY, NOBODY)
    assert refusal(Stack(tmp_path)) == (f"{tmp_path} belongs to nobody; name a folder of your own.")


def test_a_folder_that_cannot_be_written_is_refused(nobodys: Stack) -> None:
    nobodys.path.parent.chmod(0o555)
    reason = f"{nobodys.path} can't be used: permission denied; name another folder."
    assert refusal(nobodys) == reason


def test_damaged_secrets_are_not_replaced(stack: Stack) -> None:
    stack.up()
    stack.run("down")
    secrets = stack.path / "secrets.json"
    kept = secrets.read_text()
    secrets.write_text("{")
    assert refusal(stack) == f"{secrets} is damaged; put back the copy from your backup."
    secrets.unlink()
    (stack.path / "nats" / "jetstream").mkdir(exist_ok=True)
    assert refusal(stack) == f"{secrets} is missing; put back the copy from your backup."
    secrets.write_text(kept)
    stack.up()


def test_data_of_another_postgres_is_refused(stack: Stack) -> None:
    stack.up()
    stack.run("down")
    version = stack.path / "postgres" / "data" / "PG_VERSION"
    version.write_text("16\n")
    assert "was made by Postgres 16 and this is 18;" in refusal(stack)


def test_where_nothing_runs_status_and_down_say_so(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "none")
    done = stack.run("status")
    assert (done.returncode, done.stdout) == (1, f"Assay is not running in {stack.path}.\n")
    assert json.loads(stack.run("status", "--json").stdout) == {"healthy": False, "processes": []}
    assert stack.run("down").stdout == f"Nothing ran in {stack.path}.\n"
    assert "start it with `assay up`." in stack.run("run", "audit", "rebuild").stderr
    assert not stack.path.exists()


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    stack = Stack(tmp_path / ("long" * 40) / "data")
    stack.path.parent.mkdir()
    try:
        assert stack.up()
    finally:
        stack.run("down")


def test_an_ordinary_user_runs_it_too(nobodys: Stack) -> None:
    try:
        assert nobodys.up()
        assert nobodys.path.stat().st_uid == NOBODY
        assert nobodys.is_healthy()
    finally:
        nobodys.run("down")


@pytest.fixture
def nobodys() -> Iterator[Stack]:
    """A stack of an ordinary user, in a folder that this user may enter."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    before = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    with tempfile.TemporaryDirectory(prefix="assay-nobody-", dir="/tmp") as home:
        os.chown(home, NOBODY, NOBODY)
        for python in (sys.executable, "/usr/bin/python3"):
            probe = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
            command = (*before, python, "-c", probe)
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                yield Stack(Path(home) / "data", _foreign(python), before, python)
                return
        pytest.skip("no Python here that an ordinary user may run")


def _foreign(python: str) -> dict[str, str]:
    """Return what another interpreter needs to find the packages of this one."""
    if python == sys.executable:
        return {}
    packages = [sysconfig.get_path("purelib"), str(Path(embedded.__file__).parents[2])]
    return {
        "PYTHONPATH": ":".join([*packages, str(HERE)]),
        "ASSAY_NATS_SERVER": str(binaries.nats_server()),
        "ASSAY_WEED": str(binaries.weed()),
    }
